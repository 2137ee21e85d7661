select
    cast("ASSET_FAMILY_CODE" as varchar) as "ASSET_FAMILY_CODE",
    cast("CODE" as varchar) as "CODE",
    cast("values" as variant) as "VALUES",
    cast(null as timestamp_ntz) as "CREATED",
    cast("UPDATED" as timestamp_ntz) as "UPDATED",
    cast(null as varchar) as "STATUS",
    cast(null as varchar) as "START_DATE",
    cast(null as varchar) as "END_DATE"
from warehouse.akeneo.assets
where "_SDC_DELETED_AT" is null
