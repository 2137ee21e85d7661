{# Made by transform/generate.py from the tap's schemas. #}
{{ akeneo_assets.stage('assets', {
    'asset_family_code': 'text',
    'code': 'text',
    'values': 'json',
    'created': 'timestamp',
    'updated': 'timestamp',
    'status': 'text',
    'start_date': 'text',
    'end_date': 'text'
}) }}
