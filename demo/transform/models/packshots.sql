{{ akeneo_assets.asset_table('packshots', locales=['en_US', 'fr_FR'], channels=['ecommerce']) }}
