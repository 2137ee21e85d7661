WITH chosen AS (
    SELECT v.asset_family_code, v.asset_code, v.value_key, v.attribute_code, c.option_code, c.place
    FROM asset_values AS v
    JOIN assets AS a
        ON a.asset_family_code = v.asset_family_code
        AND a.code = v.asset_code
        AND a.updated IS NOT DISTINCT FROM v.asset_updated
        AND a._sdc_deleted_at IS NULL
    CROSS JOIN LATERAL UNNEST(v.option_codes) WITH ORDINALITY AS c (option_code, place)
    WHERE v.attribute_type IN ('single_option', 'multiple_options')
        AND v._sdc_deleted_at IS NULL
)
SELECT
    chosen.asset_family_code,
    chosen.asset_code,
    chosen.value_key,
    chosen.option_code,
    COALESCE(o.labels ->> 'en_US', chosen.option_code) AS option_label
FROM chosen
LEFT JOIN attribute_options AS o
    ON o.asset_family_code = chosen.asset_family_code
    AND o.attribute_code = chosen.attribute_code
    AND o.code = chosen.option_code
    AND o._sdc_deleted_at IS NULL
ORDER BY chosen.asset_family_code, chosen.asset_code, chosen.value_key, chosen.place;
