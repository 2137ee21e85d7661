{%- set chosen = akeneo_assets.each_text('asset_value.option_codes') -%}
with chosen_options as (
    select
        asset_value.asset_family_code,
        asset_value.asset_code,
        asset_value.value_key,
        asset_value.attribute_code,
        asset_value.locale,
        asset_value.channel,
        {{ chosen.code }} as option_code,
        {{ chosen.place }} as place
    from {{ ref('current_values') }} as asset_value
    {{ chosen.join }}
    where asset_value.attribute_type in ('single_option', 'multiple_options')
)

select
    chosen_options.asset_family_code,
    chosen_options.asset_code,
    chosen_options.value_key,
    chosen_options.attribute_code,
    chosen_options.locale,
    chosen_options.channel,
    chosen_options.option_code,
    chosen_options.place,
    coalesce(
        nullif({{ akeneo_assets.json_text('attribute_option.labels', var('akeneo_label_locale', 'en_US')) }}, ''),
        chosen_options.option_code
    ) as option_label
from chosen_options
left join {{ ref('stg_attribute_options') }} as attribute_option
    on attribute_option.asset_family_code = chosen_options.asset_family_code
    and attribute_option.attribute_code = chosen_options.attribute_code
    and attribute_option.code = chosen_options.option_code
