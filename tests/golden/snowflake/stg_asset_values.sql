select
    cast("ASSET_FAMILY_CODE" as varchar) as "ASSET_FAMILY_CODE",
    cast("ASSET_CODE" as varchar) as "ASSET_CODE",
    cast(null as varchar) as "VALUE_KEY",
    cast(null as varchar) as "ATTRIBUTE_CODE",
    cast(null as varchar) as "ATTRIBUTE_TYPE",
    cast(null as varchar) as "LOCALE",
    cast(null as varchar) as "CHANNEL",
    cast(null as varchar) as "TEXT_VALUE",
    "NUMBER_VALUE" as "NUMBER_VALUE",
    cast(null as boolean) as "BOOLEAN_VALUE",
    cast(null as timestamp_ntz) as "DATE_VALUE",
    cast("OPTION_CODES" as array) as "OPTION_CODES",
    cast(null as varchar) as "MEDIA_FILE_CODE",
    cast(null as varchar) as "MEDIA_URL",
    cast(null as varchar) as "RECORD_CODE",
    cast(null as array) as "LINKED_ASSET_CODES",
    cast(null as varchar) as "RAW_VALUE",
    cast(convert_timezone('UTC', cast("ASSET_UPDATED" as timestamp_tz)) as timestamp_ntz) as "ASSET_UPDATED"
from warehouse.akeneo.asset_values
where "_SDC_DELETED_AT" is null
