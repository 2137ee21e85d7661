SELECT v.*
FROM asset_values AS v
JOIN assets AS a
    ON a.asset_family_code = v.asset_family_code
    AND a.code = v.asset_code
    AND a.updated IS NOT DISTINCT FROM v.asset_updated
    AND a._sdc_deleted_at IS NULL
WHERE v._sdc_deleted_at IS NULL;
