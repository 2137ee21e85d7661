select 'asset_families' as table_name, count(*) as row_count from warehouse.akeneo.stg_asset_families
union all
select 'asset_attributes' as table_name, count(*) as row_count from warehouse.akeneo.stg_asset_attributes
union all
select 'attribute_options' as table_name, count(*) as row_count from warehouse.akeneo.stg_attribute_options
union all
select 'assets' as table_name, count(*) as row_count from warehouse.akeneo.stg_assets
union all
select 'asset_values' as table_name, count(*) as row_count from warehouse.akeneo.stg_asset_values
union all
select 'asset_media_files' as table_name, count(*) as row_count from warehouse.akeneo.stg_asset_media_files
union all
select 'current_values' as table_name, count(*) as row_count from warehouse.akeneo.current_values
union all
select 'asset_options' as table_name, count(*) as row_count from warehouse.akeneo.asset_options
