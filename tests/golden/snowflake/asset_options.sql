with chosen_options as (
    select
        asset_value.asset_family_code,
        asset_value.asset_code,
        asset_value.value_key,
        asset_value.attribute_code,
        asset_value.locale,
        asset_value.channel,
        cast(chosen.value as varchar) as option_code,
        chosen.index + 1 as place
    from warehouse.akeneo.current_values as asset_value
    , lateral flatten(input => asset_value.option_codes) as chosen
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
        nullif(cast(attribute_option.labels['en_US'] as varchar), ''),
        chosen_options.option_code
    ) as option_label
from chosen_options
left join warehouse.akeneo.stg_attribute_options as attribute_option
    on attribute_option.asset_family_code = chosen_options.asset_family_code
    and attribute_option.attribute_code = chosen_options.attribute_code
    and attribute_option.code = chosen_options.option_code
