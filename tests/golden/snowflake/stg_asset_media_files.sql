select
    cast(null as varchar) as "ASSET_FAMILY_CODE",
    cast(null as varchar) as "ASSET_CODE",
    cast(null as varchar) as "VALUE_KEY",
    cast(null as varchar) as "ATTRIBUTE_CODE",
    cast(null as varchar) as "LOCALE",
    cast(null as varchar) as "CHANNEL",
    cast(null as varchar) as "MEDIA_FILE_CODE",
    cast(null as varchar) as "ORIGINAL_FILENAME",
    cast(null as varchar) as "MIME_TYPE",
    cast(null as varchar) as "EXTENSION",
    cast(null as number(38, 0)) as "SIZE",
    cast(null as timestamp_ntz) as "ASSET_UPDATED",
    cast(null as varchar) as "SHARE_URL",
    cast(null as varchar) as "SHA256",
    cast(null as varchar) as "STORED_PATH",
    cast(null as number(38, 0)) as "STORED_SIZE",
    cast(null as timestamp_ntz) as "STORED_AT"
from (select 1 as nothing) as no_table
where 1 = 0
