select code, type, value_per_locale, value_per_channel
from (
select
    cast("ASSET_FAMILY_CODE" as varchar) as "ASSET_FAMILY_CODE",
    cast("CODE" as varchar) as "CODE",
    cast(null as varchar) as "TYPE",
    cast(null as boolean) as "VALUE_PER_LOCALE",
    cast(null as boolean) as "VALUE_PER_CHANNEL"
from warehouse.akeneo.asset_attributes
where "_SDC_DELETED_AT" is null
) as attribute
where asset_family_code = 'it''s'
order by code
