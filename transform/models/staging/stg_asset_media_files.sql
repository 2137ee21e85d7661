{# Made by transform/generate.py from the tap's schemas. #}
{{ akeneo_assets.stage('asset_media_files', {
    'asset_family_code': 'text',
    'asset_code': 'text',
    'value_key': 'text',
    'attribute_code': 'text',
    'locale': 'text',
    'channel': 'text',
    'media_file_code': 'text',
    'original_filename': 'text',
    'mime_type': 'text',
    'extension': 'text',
    'size': 'integer',
    'asset_updated': 'timestamp',
    'share_url': 'text',
    'sha256': 'text',
    'stored_path': 'text',
    'stored_size': 'integer',
    'stored_at': 'timestamp'
}) }}
