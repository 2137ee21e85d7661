{#- One row per asset of a family, a column or more per attribute.

    The attributes are those that the warehouse has when dbt runs: a new attribute is a new column.

    Args:
        family: code of the asset family.
        locales: codes of the locales that get columns, for attributes with a value per locale; in any case, and one
            may be given as a text. With exactly one, its columns are named by the attribute alone. All of which the
            family's assets have values when none are named.
        channels: likewise for channels. -#}
{% macro asset_table(family, locales=none, channels=none) %}
{#- Named before the loops, so that dbt knows what this depends on when it only parses. -#}
{%- set assets, current, options, media_files, loaded = (
    ref('stg_assets'), ref('current_values'), ref('asset_options'), ref('stg_asset_media_files'),
    [source('akeneo', 'asset_attributes'), source('akeneo', 'asset_values'), source('akeneo', 'assets')]
) -%}
{%- do akeneo_assets.refuse_to_replace_a_loaded_table() if execute -%}
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
{%- set at_locales = akeneo_assets.asked_contexts(
    family, 'locale', locales, akeneo_assets.contexts_of(family, 'locale', attributes | selectattr('per_locale'))
) -%}
{%- set at_channels = akeneo_assets.asked_contexts(
    family, 'channel', channels, akeneo_assets.contexts_of(family, 'channel', attributes | selectattr('per_channel'))
) -%}
{%- set one_locale = locales is not none and at_locales | length == 1 -%}
{%- set one_channel = channels is not none and at_channels | length == 1 -%}
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
                    'locale': locale,
                    'channel': channel,
                    'context': context,
                    'part': part.suffix,
                    'expression': part.expression,
                    'type': part.type,
                    'condition': condition
                }) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endfor -%}
{#- Besides the asset's own columns, those that a table has by itself in Postgres. -#}
{{ return(akeneo_assets.with_names(columns, [
    'asset_family_code', 'asset_code', 'asset_created', 'asset_updated',
    'tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'
])) }}
{% endmacro %}


{#- What an attribute's type has columns for: suffix of the name, expression, type. -#}
{% macro parts_of(type) %}
{%- set parts = {
    'text': [('', akeneo_assets.text_of('asset_value'), 'text')],
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
}.get(type, [('', "nullif(asset_value.raw_value, 'null')", 'text')]) -%}
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
{%- set attributes = [] -%}
{%- for row in run_query(akeneo_assets.attributes_query(family)).rows -%}
    {%- do attributes.append({'code': row[0], 'type': row[1], 'per_locale': row[2], 'per_channel': row[3]}) -%}
{%- endfor -%}
{{ return(attributes) }}
{% endmacro %}

{% macro attributes_query(family) -%}
select code, type, value_per_locale, value_per_channel
from (
{{ akeneo_assets.stage('asset_attributes', {
    'asset_family_code': 'text', 'code': 'text', 'type': 'text', 'value_per_locale': 'boolean',
    'value_per_channel': 'boolean'
}) }}
) as attribute
where asset_family_code = {{ akeneo_assets.literal(family) }}
order by code
{%- endmacro %}


{#- The locales or channels of which a family's assets have values of some attributes; `column` is locale or channel. -#}
{% macro contexts_of(family, column, attributes) %}
{%- set codes = attributes | map(attribute='code') | list -%}
{{ return(adapter.dispatch('contexts_of', 'akeneo_assets')(family, column, codes) if codes else []) }}
{% endmacro %}

{% macro default__contexts_of(family, column, codes) %}
{%- set contexts = [] -%}
{%- for row in run_query(akeneo_assets.contexts_query(family, column, codes)).rows -%}
    {%- do contexts.append(row[0]) -%}
{%- endfor -%}
{{ return(contexts) }}
{% endmacro %}

{#- Of current values, though current_values itself need not be there yet. -#}
{% macro contexts_query(family, column, codes) -%}
select distinct asset_value.{{ column }}
from (
{{ akeneo_assets.stage('asset_values', {
    'asset_family_code': 'text', 'asset_code': 'text', 'attribute_code': 'text', column: 'text',
    'asset_updated': 'timestamp'
}) }}
) as asset_value
inner join (
{{ akeneo_assets.stage('assets', {'asset_family_code': 'text', 'code': 'text', 'updated': 'timestamp'}) }}
) as asset
    on asset.asset_family_code = asset_value.asset_family_code
    and asset.code = asset_value.asset_code
    and asset.updated is not distinct from asset_value.asset_updated
where asset_value.asset_family_code = {{ akeneo_assets.literal(family) }}
    and asset_value.attribute_code in (
        {%- for code in codes %}{{ akeneo_assets.literal(code) }}{{ ", " if not loop.last }}{% endfor -%}
    )
    and asset_value.{{ column }} is not null
order by asset_value.{{ column }}
{%- endmacro %}


{#- The locales or channels that get columns, spelled as the PIM does, each once.

    Args:
        family: code of the asset family.
        column: locale or channel.
        asked: what `asset_table` was given.
        used: those of which there are values. -#}
{% macro asked_contexts(family, column, asked, used) %}
{%- set names = used if asked is none else [asked] if asked is string else asked -%}
{%- set contexts = [] -%}
{%- for name in names -%}
    {%- set alike = [] -%}
    {%- for context in used if context | lower == name | lower -%}
        {%- do alike.append(context) -%}
    {%- endfor -%}
    {%- if used and not alike -%}
        {%- do exceptions.warn(
            "asset_table: the asset family '" ~ family ~ "' has no value of the " ~ column ~ " '" ~ name ~ "', but of "
            ~ used | join(', ') ~ "."
        ) -%}
    {%- endif -%}
    {%- set meant = alike[0] if name not in alike and alike | length == 1 else name -%}
    {%- if meant not in contexts -%}
        {%- do contexts.append(meant) -%}
    {%- endif -%}
{%- endfor -%}
{{ return(contexts) }}
{% endmacro %}


{#- A model of the name and schema of a table that the target wrote would be made in its place. -#}
{% macro refuse_to_replace_a_loaded_table() %}
{%- for table in graph.sources.values() if table.package_name == 'akeneo_assets' and table.relation_name | lower == this | lower -%}
    {%- do exceptions.raise_compiler_error(
        "asset_table: this model would replace " ~ this ~ ", which the target loads into. Give it another name or schema."
    ) -%}
{%- endfor -%}
{% endmacro %}


{#- Columns with their names, each different from the others when case is folded, and an identifier of at most 63 bytes.

    The name is the attribute's code, the locale and channel, and what part of the value it is, in lower case. Where
    that is no identifier, too long, or what another column is or could be called too, it gets eight hexadecimal digits
    of a hash. These are of the code alone, unless locale and channel cannot be told apart by the rest of the name. -#}
{% macro with_names(columns, taken) %}
{%- set suffixes, hashed, wished = [], [], taken | list -%}
{%- for column in columns -%}
    {%- do suffixes.append((column.code, (column.context ~ column.part) | lower)) -%}
    {%- do wished.append((column.code ~ column.context ~ column.part) | lower) -%}
{%- endfor -%}
{%- for column in columns -%}
    {%- do hashed.append(akeneo_assets.hashed_name(column, suffixes.count(suffixes[loop.index0]) > 1)) -%}
{%- endfor -%}
{%- set named = [] -%}
{%- for column in columns -%}
    {%- set wish = column.code ~ column.context ~ column.part -%}
    {%- set is_free = wished.count(wish | lower) == 1 and wish | lower not in hashed -%}
    {%- set fits = is_free and modules.re.match('[A-Za-z_][A-Za-z0-9_]{0,62}\\Z', wish) -%}
    {%- do named.append(dict(column, name=wish | lower if fits else hashed[loop.index0])) -%}
{%- endfor -%}
{{ return(named) }}
{% endmacro %}


{% macro hashed_name(column, is_ambiguous) %}
{%- set end = akeneo_assets.plain(column.context)[:22] -%}
{%- set of_code = end == column.context | lower and not is_ambiguous -%}
{%- set hashed = column.code if of_code else [column.code, column.locale, column.channel] | join('\n') -%}
{%- set end = end ~ column.part -%}
{%- set start = akeneo_assets.plain(column.code) -%}
{%- set start = '_' ~ start if start[:1] in '0123456789' else start -%}
{{ return(start[:54 - end | length] ~ '_' ~ local_md5(hashed)[:8] ~ end) }}
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
