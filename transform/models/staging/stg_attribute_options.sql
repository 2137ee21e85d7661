{# Made by transform/generate.py from the tap's schemas. #}
{{ akeneo_assets.stage('attribute_options', {
    'asset_family_code': 'text',
    'attribute_code': 'text',
    'code': 'text',
    'labels': 'json'
}) }}
