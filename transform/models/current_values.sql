{#- A run that reads an asset writes the asset's `updated` into all of its values, so a row with another one is a value
    that was removed. Before 6.0 the PIM sends no `updated`: both are null, and all rows count. -#}
select asset_value.*
from {{ ref('stg_asset_values') }} as asset_value
inner join {{ ref('stg_assets') }} as asset
    on asset.asset_family_code = asset_value.asset_family_code
    and asset.code = asset_value.asset_code
    and asset.updated is not distinct from asset_value.asset_updated
