select
    cast("ASSET_FAMILY_CODE" as varchar) as "ASSET_FAMILY_CODE",
    cast(null as varchar) as "ATTRIBUTE_CODE",
    cast("CODE" as varchar) as "CODE",
    cast("LABELS" as variant) as "LABELS"
from warehouse.akeneo.attribute_options
where "_SDC_DELETED_AT" is null
