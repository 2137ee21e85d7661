{# Made by transform/generate.py from the tap's schemas. #}
{{ akeneo_assets.stage('asset_values', {
    'asset_family_code': 'text',
    'asset_code': 'text',
    'value_key': 'text',
    'attribute_code': 'text',
    'attribute_type': 'text',
    'locale': 'text',
    'channel': 'text',
    'text_value': 'text',
    'number_value': 'number',
    'boolean_value': 'boolean',
    'date_value': 'timestamp',
    'option_codes': 'texts',
    'media_file_code': 'text',
    'media_url': 'text',
    'record_code': 'text',
    'linked_asset_codes': 'texts',
    'raw_value': 'text',
    'asset_updated': 'timestamp'
}) }}
