{#- One row per asset of a family, a column or more per attribute.

    The attributes are those that the warehouse has when dbt runs: a new attribute is a new column.

    Args:
        family: code of the asset family.
        locales: codes of the locales that get columns, for attributes with a value per locale. With exactly one, its
            columns are named by the attribute alone. All of which the family has values when none are named.
        channels: likewise for channels. -#}
{% macro asset_table(family, locales=none, channels=none) %}
{#- Named before the loops, so that dbt knows what this depends on when it only parses. -#}
{%- set assets, current, options, media_files, stored_attributes = (
    ref('stg_assets'), ref('current_values'), ref('asset_options'), ref('stg_asset_media_files'),
    source('akeneo', 'asset_attributes')
) -%}
{%- set columns = akeneo_assets.asset_table_columns(family, locales, channels) if execute else [] -%}
with labels as (
    select
        asset_code,
        value_key,
        {{ akeneo_assets.texts_in_order('option_label', 'place') }} as option_labels
    from {{ options }}
    where asset_family_code = {{ akeneo_assets.literal(family) }}
    group by asset_code, value_key
),

family_values as (
    select
        asset_value.*,
        case
            when asset_value.option_codes is not null
                then coalesce(labels.option_labels, {{ akeneo_assets.no_texts() }})
        end as option_labels,
        media_file.stored_path
    from {{ current }} as asset_value
    left join labels
        on labels.asset_code = asset_value.asset_code
        and labels.value_key = asset_value.value_key
    left join {{ media_files }} as media_file
        on media_file.asset_family_code = asset_value.asset_family_code
        and media_file.asset_code = asset_value.asset_code
        and media_file.value_key = asset_value.value_key
        and media_file.media_file_code = asset_value.media_file_code
    where asset_value.asset_family_code = {{ akeneo_assets.literal(family) }}
)

select
    asset.asset_family_code,
    asset.code as asset_code,
    asset.created as asset_created,
    asset.updated as asset_updated
{%- for column in columns %},
    {{ akeneo_assets.the_one(column.expression, column.type, column.condition) }} as {{ akeneo_assets.quoted(column.name) }}
{%- endfor %}
from {{ assets }} as asset
left join family_values as asset_value
    on asset_value.asset_code = asset.code
where asset.asset_family_code = {{ akeneo_assets.literal(family) }}
group by asset.asset_family_code, asset.code, asset.created, asset.updated
{% endmacro %}


{#- The columns of a family's table beside those of the asset itself, each with name, expression, type, condition. -#}
{% macro asset_table_columns(family, locales, channels) %}
{%- set attributes = akeneo_assets.attributes_of(family) -%}
{%- if not attributes -%}
    {%- do exceptions.warn("asset_table: the warehouse has no attribute of the asset family '" ~ family ~ "'. Is its code spelled so?") -%}
{%- endif -%}
{%- set at_locales = locales if locales is not none else akeneo_assets.contexts_of(family, 'locale', attributes | selectattr('per_locale')) -%}
{%- set at_channels = channels if channels is not none else akeneo_assets.contexts_of(family, 'channel', attributes | selectattr('per_channel')) -%}
{%- set one_locale = locales is not none and locales | length == 1 -%}
{%- set one_channel = channels is not none and channels | length == 1 -%}
{%- set columns = [] -%}
{%- for attribute in attributes -%}
    {%- for locale in (at_locales if attribute.per_locale else [none]) -%}
        {%- for channel in (at_channels if attribute.per_channel else [none]) -%}
            {%- set condition = [
                'asset_value.attribute_code = ' ~ akeneo_assets.literal(attribute.code),
                'asset_value.locale ' ~ ('is null' if locale is none else '= ' ~ akeneo_assets.literal(locale)),
                'asset_value.channel ' ~ ('is null' if channel is none else '= ' ~ akeneo_assets.literal(channel))
            ] | join(' and ') -%}
            {%- set context = (
                ('_' ~ locale if locale is not none and not one_locale else '')
                ~ ('_' ~ channel if channel is not none and not one_channel else '')
            ) -%}
            {%- for part in akeneo_assets.parts_of(attribute.type) -%}
                {%- do columns.append({
                    'code': attribute.code,
                    'suffix': context ~ part.suffix,
                    'expression': part.expression,
                    'type': part.type,
                    'condition': condition
                }) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endfor -%}
{{ return(akeneo_assets.with_names(columns, ['asset_family_code', 'asset_code', 'asset_created', 'asset_updated'])) }}
{% endmacro %}


{#- What an attribute's type has columns for: suffix of the name, expression, type. -#}
{% macro parts_of(type) %}
{%- set parts = {
    'text': [('', 'text_value', 'text')],
    'number': [('', 'number_value', 'number')],
    'boolean': [('', 'boolean_value', 'boolean')],
    'date': [('', 'date_value', 'timestamp')],
    'single_option': [
        ('', akeneo_assets.first_text('asset_value.option_codes'), 'text'),
        ('_label', akeneo_assets.first_text('asset_value.option_labels'), 'text')
    ],
    'multiple_options': [('', 'option_codes', 'texts'), ('_labels', 'option_labels', 'texts')],
    'auto_tagging': [('', 'option_codes', 'texts')],
    'media_file': [('', 'media_file_code', 'text'), ('_url', 'media_url', 'text'), ('_path', 'stored_path', 'text')],
    'media_link': [('', 'text_value', 'text'), ('_url', 'media_url', 'text')],
    'record': [('', 'record_code', 'text')],
    'asset_family_single_link': [('', akeneo_assets.first_text('asset_value.linked_asset_codes'), 'text')],
    'asset_family_multiple_links': [('', 'linked_asset_codes', 'texts')]
}.get(type, [('', 'raw_value', 'text')]) -%}
{%- set found = [] -%}
{%- for suffix, expression, its_type in parts -%}
    {%- do found.append({
        'suffix': suffix,
        'expression': expression if '.' in expression else 'asset_value.' ~ expression,
        'type': its_type
    }) -%}
{%- endfor -%}
{{ return(found) }}
{% endmacro %}


{#- The attributes of a family: code, type, per_locale, per_channel; by code. -#}
{% macro attributes_of(family) %}
{{ return(adapter.dispatch('attributes_of', 'akeneo_assets')(family)) }}
{% endmacro %}

{% macro default__attributes_of(family) %}
{%- set relation = source('akeneo', 'asset_attributes') -%}
{%- set found = akeneo_assets.columns_of(relation) -%}
{%- set attributes = [] -%}
{%- if found -%}
    {%- set query -%}
        select code, type, value_per_locale as per_locale, value_per_channel as per_channel
        from (select * {{ akeneo_assets.from_loaded(relation, found) }}) as attribute
        where asset_family_code = {{ akeneo_assets.literal(family) }}
        order by code
    {%- endset -%}
    {%- for row in run_query(query).rows -%}
        {%- do attributes.append({'code': row[0], 'type': row[1], 'per_locale': row[2], 'per_channel': row[3]}) -%}
    {%- endfor -%}
{%- endif -%}
{{ return(attributes) }}
{% endmacro %}


{#- The locales or channels of which some attributes of a family have values; `column` is locale or channel. -#}
{% macro contexts_of(family, column, attributes) %}
{{ return(adapter.dispatch('contexts_of', 'akeneo_assets')(family, column, attributes | map(attribute='code') | list)) }}
{% endmacro %}

{% macro default__contexts_of(family, column, codes) %}
{%- set relation = source('akeneo', 'asset_values') -%}
{%- set found = akeneo_assets.columns_of(relation) -%}
{%- set contexts = [] -%}
{%- if found and codes -%}
    {%- set query -%}
        select distinct {{ column }}
        from (select * {{ akeneo_assets.from_loaded(relation, found) }}) as asset_value
        where asset_family_code = {{ akeneo_assets.literal(family) }}
            and attribute_code in ({% for code in codes %}{{ akeneo_assets.literal(code) }}{{ ", " if not loop.last }}{% endfor %})
            and {{ column }} is not null
        order by {{ column }}
    {%- endset -%}
    {%- for row in run_query(query).rows -%}
        {%- do contexts.append(row[0]) -%}
    {%- endfor -%}
{%- endif -%}
{{ return(contexts) }}
{% endmacro %}


{#- Columns with their names, each different from the others when case is folded, and an identifier of at most 63 bytes.

    The name is code and suffix in lower case. Where that is no identifier, too long, or what another column would be
    called too, it gets eight hexadecimal digits of a hash of the code, so it does not depend on the other attributes. -#}
{% macro with_names(columns, taken) %}
{%- set wished = taken | list -%}
{%- for column in columns -%}
    {%- do wished.append((column.code ~ column.suffix) | lower) -%}
{%- endfor -%}
{%- set named = [] -%}
{%- for column in columns -%}
    {%- set wish = column.code ~ column.suffix -%}
    {%- set fits = modules.re.match('[A-Za-z_][A-Za-z0-9_]{0,62}\\Z', wish) and wished.count(wish | lower) == 1 -%}
    {%- set name = wish | lower if fits else akeneo_assets.hashed_name(column.code, column.suffix) -%}
    {%- do named.append(dict(column, name=name)) -%}
{%- endfor -%}
{{ return(named) }}
{% endmacro %}


{% macro hashed_name(code, suffix) %}
{%- set end = akeneo_assets.plain(suffix)[:30] -%}
{%- set hashed = code if end == suffix | lower else code ~ '\n' ~ suffix -%}
{%- set start = akeneo_assets.plain(code)[:54 - end | length] -%}
{%- set start = '_' ~ start if start[:1] in '0123456789' else start -%}
{{ return((start[:54 - end | length]) ~ '_' ~ local_md5(hashed)[:8] ~ end) }}
{% endmacro %}


{#- A text in lower case, of letters without accents, digits and underscores. -#}
{% macro plain(text) %}
{%- set re = modules.re -%}
{%- set found = namespace(text=re.sub('[\u0300-\u036f]', '', text | lower)) -%}
{%- for letter, accented in {
    'a': 'àáâãäåā', 'ae': 'æ', 'c': 'çćč', 'e': 'èéêëēę', 'i': 'ìíîïī', 'n': 'ñńň', 'o': 'òóôõöøō', 'oe': 'œ',
    's': 'śš', 'ss': 'ß', 'u': 'ùúûüū', 'y': 'ýÿ', 'z': 'źžż'
}.items() -%}
    {%- set found.text = re.sub('[' ~ accented ~ ']', letter, found.text) -%}
{%- endfor -%}
{{ return(re.sub('[^a-z0-9_]', '_', found.text)) }}
{% endmacro %}
