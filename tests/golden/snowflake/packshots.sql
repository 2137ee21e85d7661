with labels as (
    select
        asset_code,
        value_key,
        array_agg(option_label) within group (order by place) as option_labels
    from warehouse.akeneo.asset_options
    where asset_family_code = 'it''s'
    group by asset_code, value_key
),

family_values as (
    select
        asset_value.*,
        case
            when asset_value.option_codes is not null
                then coalesce(labels.option_labels, array_construct())
        end as option_labels,
        media_file.stored_path
    from warehouse.akeneo.current_values as asset_value
    left join labels
        on labels.asset_code = asset_value.asset_code
        and labels.value_key = asset_value.value_key
    left join warehouse.akeneo.stg_asset_media_files as media_file
        on media_file.asset_family_code = asset_value.asset_family_code
        and media_file.asset_code = asset_value.asset_code
        and media_file.value_key = asset_value.value_key
        and media_file.media_file_code = asset_value.media_file_code
    where asset_value.asset_family_code = 'it''s'
)

select
    asset.asset_family_code,
    asset.code as asset_code,
    asset.created as asset_created,
    asset.updated as asset_updated,
    max(case when asset_value.attribute_code = 'title' and asset_value.locale = 'en_US' and asset_value.channel is null then asset_value.text_value end) as "TITLE_EN_US",
    max(case when asset_value.attribute_code = 'title' and asset_value.locale = 'fr_FR' and asset_value.channel is null then asset_value.text_value end) as "TITLE_FR_FR",
    max(case when asset_value.attribute_code = 'order' and asset_value.locale is null and asset_value.channel = 'print' then asset_value.number_value end) as "ORDER_PRINT",
    boolor_agg(case when asset_value.attribute_code = 'on' and asset_value.locale is null and asset_value.channel is null then asset_value.boolean_value end) as "ON",
    max(case when asset_value.attribute_code = 'day' and asset_value.locale is null and asset_value.channel is null then asset_value.date_value end) as "DAY",
    max(case when asset_value.attribute_code = 'color' and asset_value.locale is null and asset_value.channel is null then cast(asset_value.option_codes[0] as varchar) end) as "COLOR_70DDA5DF",
    max(case when asset_value.attribute_code = 'color' and asset_value.locale is null and asset_value.channel is null then cast(asset_value.option_labels[0] as varchar) end) as "COLOR_LABEL",
    max(case when asset_value.attribute_code = 'Color' and asset_value.locale is null and asset_value.channel is null then asset_value.text_value end) as "COLOR_CB5FEB1B",
    cast(array_agg(case when asset_value.attribute_code = 'O''Neill\\' and asset_value.locale is null and asset_value.channel is null then asset_value.option_codes end)[0] as array) as "O_NEILL__D841984B",
    cast(array_agg(case when asset_value.attribute_code = 'O''Neill\\' and asset_value.locale is null and asset_value.channel is null then asset_value.option_labels end)[0] as array) as "O_NEILL__D841984B_LABELS",
    max(case when asset_value.attribute_code = 'picture' and asset_value.locale = 'en_US' and asset_value.channel = 'print' then asset_value.media_file_code end) as "PICTURE_EN_US_PRINT",
    max(case when asset_value.attribute_code = 'picture' and asset_value.locale = 'en_US' and asset_value.channel = 'print' then asset_value.media_url end) as "PICTURE_EN_US_PRINT_URL",
    max(case when asset_value.attribute_code = 'picture' and asset_value.locale = 'en_US' and asset_value.channel = 'print' then asset_value.stored_path end) as "PICTURE_EN_US_PRINT_PATH",
    max(case when asset_value.attribute_code = 'picture' and asset_value.locale = 'fr_FR' and asset_value.channel = 'print' then asset_value.media_file_code end) as "PICTURE_FR_FR_PRINT",
    max(case when asset_value.attribute_code = 'picture' and asset_value.locale = 'fr_FR' and asset_value.channel = 'print' then asset_value.media_url end) as "PICTURE_FR_FR_PRINT_URL",
    max(case when asset_value.attribute_code = 'picture' and asset_value.locale = 'fr_FR' and asset_value.channel = 'print' then asset_value.stored_path end) as "PICTURE_FR_FR_PRINT_PATH",
    max(case when asset_value.attribute_code = 'guide' and asset_value.locale is null and asset_value.channel is null then cast(asset_value.linked_asset_codes[0] as varchar) end) as "GUIDE",
    cast(array_agg(case when asset_value.attribute_code = 'guides' and asset_value.locale is null and asset_value.channel is null then asset_value.linked_asset_codes end)[0] as array) as "GUIDES",
    max(case when asset_value.attribute_code = 'hologram' and asset_value.locale is null and asset_value.channel is null then nullif(asset_value.raw_value, 'null') end) as "HOLOGRAM"
from warehouse.akeneo.stg_assets as asset
left join family_values as asset_value
    on asset_value.asset_code = asset.code
where asset.asset_family_code = 'it''s'
group by asset.asset_family_code, asset.code, asset.created, asset.updated
