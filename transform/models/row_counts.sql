{%- set staged = {
    'asset_families': ref('stg_asset_families'),
    'asset_attributes': ref('stg_asset_attributes'),
    'attribute_options': ref('stg_attribute_options'),
    'assets': ref('stg_assets'),
    'asset_values': ref('stg_asset_values'),
    'asset_media_files': ref('stg_asset_media_files'),
    'current_values': ref('current_values'),
    'asset_options': ref('asset_options')
} -%}
{%- for name, relation in staged.items() %}
select '{{ name }}' as table_name, count(*) as row_count from {{ relation }}
{% if not loop.last %}union all{% endif %}
{%- endfor %}
