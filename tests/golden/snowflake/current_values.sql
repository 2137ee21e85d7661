select asset_value.*
from warehouse.akeneo.stg_asset_values as asset_value
inner join warehouse.akeneo.stg_assets as asset
    on asset.asset_family_code = asset_value.asset_family_code
    and asset.code = asset_value.asset_code
    and asset.updated is not distinct from asset_value.asset_updated
