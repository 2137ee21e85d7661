\set QUIET on
\pset pager off
\pset footer off
SET search_path TO tap_akeneo_assets;

SELECT string_agg(format('SELECT %L AS stream, count(*) AS rows FROM %I', table_name, table_name), ' UNION ALL ')
    || ' ORDER BY stream'
FROM information_schema.tables
WHERE table_schema = 'tap_akeneo_assets' AND table_type = 'BASE TABLE'
\gexec

-- In each family the three assets last updated for which somebody chose options; the labels are the English ones.
WITH choice AS (
    SELECT DISTINCT ON (family.code, value.asset_code)
        family.labels ->> 'en_US' AS family,
        value.asset_code AS asset,
        title.text_value AS title,
        attribute.labels ->> 'en_US' AS attribute,
        option.labels ->> 'en_US' AS option,
        value.asset_updated AS updated
    FROM asset_values AS value
    JOIN asset_families AS family ON family.code = value.asset_family_code
    JOIN asset_attributes AS attribute USING (asset_family_code)
    JOIN attribute_options AS option USING (asset_family_code, attribute_code)
    JOIN asset_values AS title USING (asset_family_code, asset_code)
    WHERE attribute.code = value.attribute_code
        AND option.code = ANY (value.option_codes)
        AND title.value_key IN ('title-en_US', 'name')
    ORDER BY family.code, value.asset_code, value.value_key, option.code
),
placed AS (
    SELECT *, row_number() OVER (PARTITION BY family ORDER BY updated DESC) AS place
    FROM choice
)
SELECT family, asset, title, attribute, option
FROM placed
WHERE place <= 3
ORDER BY family, place;

-- Of the wide table that dbt made: some columns, and the rows that have most of them.
SELECT asset_code, title_en_us, title_fr_fr, main_colors_labels, background_label, width_mm, retouched, shot_on::date
FROM packshots
ORDER BY num_nulls(title_en_us, title_fr_fr, main_colors_labels, background_label, width_mm, shot_on), asset_code
LIMIT 5;
