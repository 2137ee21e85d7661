SELECT
    a.asset_family_code,
    a.code AS asset_code,
    MAX(CASE WHEN v.attribute_code = 'title' THEN v.text_value END) AS title,
    MAX(CASE WHEN v.attribute_code = 'width_mm' THEN v.number_value END) AS width_mm,
    MAX(CASE WHEN v.attribute_code = 'main_colors' THEN ARRAY_TO_STRING(v.option_codes, ', ') END) AS main_colors,
    MAX(CASE WHEN v.attribute_code = 'picture' THEN v.media_file_code END) AS picture
FROM assets AS a
LEFT JOIN asset_values AS v
    ON v.asset_family_code = a.asset_family_code
    AND v.asset_code = a.code
    AND v.asset_updated IS NOT DISTINCT FROM a.updated
    AND v._sdc_deleted_at IS NULL
    AND (v.locale = 'en_US' OR v.locale IS NULL)
    AND (v.channel = 'ecommerce' OR v.channel IS NULL)
WHERE a.asset_family_code = 'packshots'
    AND a._sdc_deleted_at IS NULL
GROUP BY a.asset_family_code, a.code
ORDER BY a.code;
