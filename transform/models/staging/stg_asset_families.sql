{# Made by transform/generate.py from the tap's schemas. #}
{{ akeneo_assets.stage('asset_families', {
    'code': 'text',
    'labels': 'json',
    'attribute_as_main_media': 'text',
    'naming_convention': 'json',
    'product_link_rules': 'json',
    'transformations': 'json',
    'sharing_enabled': 'boolean',
    'auto_tagging_enabled': 'boolean'
}) }}
