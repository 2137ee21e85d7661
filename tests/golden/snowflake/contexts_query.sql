select distinct asset_value.locale
from (
select
    cast("ASSET_FAMILY_CODE" as varchar) as "ASSET_FAMILY_CODE",
    cast("ASSET_CODE" as varchar) as "ASSET_CODE",
    cast(null as varchar) as "ATTRIBUTE_CODE",
    cast(null as varchar) as "LOCALE",
    cast(convert_timezone('UTC', cast("ASSET_UPDATED" as timestamp_tz)) as timestamp_ntz) as "ASSET_UPDATED"
from warehouse.akeneo.asset_values
where "_SDC_DELETED_AT" is null
) as asset_value
inner join (
select
    cast("ASSET_FAMILY_CODE" as varchar) as "ASSET_FAMILY_CODE",
    cast("CODE" as varchar) as "CODE",
    cast("UPDATED" as timestamp_ntz) as "UPDATED"
from warehouse.akeneo.assets
where "_SDC_DELETED_AT" is null
) as asset
    on asset.asset_family_code = asset_value.asset_family_code
    and asset.code = asset_value.asset_code
    and asset.updated is not distinct from asset_value.asset_updated
where asset_value.asset_family_code = 'it''s'
    and asset_value.attribute_code in ('title', 'O''Neill\\')
    and asset_value.locale is not null
order by asset_value.locale
