{#- What Postgres, Snowflake and DuckDB say each in its own way. The default is Postgres. -#}


{#- The database's name of a staging column's type. -#}
{% macro type_of(type) -%}
{{ return(adapter.dispatch('type_of', 'akeneo_assets')(type)) }}
{%- endmacro %}

{% macro default__type_of(type) -%}
{{ return({
    'text': 'text', 'integer': 'bigint', 'number': 'numeric', 'boolean': 'boolean', 'timestamp': 'timestamp',
    'texts': 'text[]', 'json': 'jsonb'
}[type]) }}
{%- endmacro %}

{% macro snowflake__type_of(type) -%}
{{ return({
    'text': 'varchar', 'integer': 'number(38, 0)', 'number': 'double', 'boolean': 'boolean',
    'timestamp': 'timestamp_ntz', 'texts': 'array', 'json': 'variant'
}[type]) }}
{%- endmacro %}

{% macro duckdb__type_of(type) -%}
{{ return({
    'text': 'varchar', 'integer': 'bigint', 'number': 'double', 'boolean': 'boolean', 'timestamp': 'timestamp',
    'texts': 'varchar[]', 'json': 'json'
}[type]) }}
{%- endmacro %}


{#- A name as SQL spells it. It may be a reserved word; unquoted spellings of it in any case mean the same column. -#}
{% macro quoted(name) -%}
{{ return(adapter.dispatch('quoted', 'akeneo_assets')(name)) }}
{%- endmacro %}

{% macro default__quoted(name) -%}
{{ return('"' ~ name ~ '"') }}
{%- endmacro %}

{% macro snowflake__quoted(name) -%}
{{ return('"' ~ (name | upper) ~ '"') }}
{%- endmacro %}


{#- A text as an SQL literal. -#}
{% macro literal(text) -%}
{{ return(adapter.dispatch('literal', 'akeneo_assets')(text)) }}
{%- endmacro %}

{% macro default__literal(text) -%}
{{ return("'" ~ (text | replace("'", "''")) ~ "'") }}
{%- endmacro %}

{% macro snowflake__literal(text) -%}
{{ return("'" ~ (text | replace("\\", "\\\\") | replace("'", "''")) ~ "'") }}
{%- endmacro %}


{#- A timestamp in UTC, without a zone, whether the target's column has one or not. -#}
{% macro utc(column) -%}
{{ return(adapter.dispatch('utc', 'akeneo_assets')(column)) }}
{%- endmacro %}

{% macro default__utc(column) -%}
{%- if column.data_type.startswith('timestamp') and 'with time zone' not in column.data_type -%}
    {{ return('cast(' ~ column.quoted ~ ' as timestamp)') }}
{%- else -%}
    {{ return("timezone('UTC', cast(" ~ column.quoted ~ " as timestamp with time zone))") }}
{%- endif -%}
{%- endmacro %}

{% macro snowflake__utc(column) -%}
{%- if column.data_type.startswith('timestamp_ntz') -%}
    {{ return('cast(' ~ column.quoted ~ ' as timestamp_ntz)') }}
{%- else -%}
    {{ return("cast(convert_timezone('UTC', cast(" ~ column.quoted ~ " as timestamp_tz)) as timestamp_ntz)") }}
{%- endif -%}
{%- endmacro %}


{#- An array of texts, from an array or from JSON. -#}
{% macro text_array(column) -%}
{{ return(adapter.dispatch('text_array', 'akeneo_assets')(column)) }}
{%- endmacro %}

{% macro default__text_array(column) -%}
{%- if column.data_type == 'jsonb' -%}
    {{ return(
        "case when jsonb_typeof(" ~ column.quoted ~ ") = 'array' then array(select jsonb_array_elements_text("
        ~ column.quoted ~ ")) end"
    ) }}
{%- else -%}
    {{ return('cast(' ~ column.quoted ~ ' as text[])') }}
{%- endif -%}
{%- endmacro %}

{% macro snowflake__text_array(column) -%}
{{ return('cast(' ~ column.quoted ~ ' as array)') }}
{%- endmacro %}

{% macro duckdb__text_array(column) -%}
{%- set given = 'cast(' ~ column.quoted ~ ' as json)' if column.data_type == 'varchar' else column.quoted -%}
{{ return('cast(' ~ given ~ ' as varchar[])') }}
{%- endmacro %}


{#- An object or array as the database's JSON. -#}
{% macro json(column) -%}
{{ return(adapter.dispatch('json', 'akeneo_assets')(column)) }}
{%- endmacro %}

{% macro default__json(column) -%}
{%- if column.data_type in ('text', 'character varying') -%}
    {{ return('cast(' ~ column.quoted ~ ' as jsonb)') }}
{%- else -%}
    {{ return('to_jsonb(' ~ column.quoted ~ ')') }}
{%- endif -%}
{%- endmacro %}

{% macro snowflake__json(column) -%}
{{ return('cast(' ~ column.quoted ~ ' as variant)') }}
{%- endmacro %}

{% macro duckdb__json(column) -%}
{%- if column.data_type in ('varchar', 'json') -%}
    {{ return('cast(' ~ column.quoted ~ ' as json)') }}
{%- else -%}
    {{ return('to_json(' ~ column.quoted ~ ')') }}
{%- endif -%}
{%- endmacro %}


{#- A number with the digits that the target kept. -#}
{% macro number(column) -%}
{{ return(adapter.dispatch('number', 'akeneo_assets')(column)) }}
{%- endmacro %}

{% macro default__number(column) -%}
{{ return('cast(' ~ column.quoted ~ ' as numeric)') }}
{%- endmacro %}

{% macro snowflake__number(column) -%}
{{ return(column.quoted) }}
{%- endmacro %}

{% macro duckdb__number(column) -%}
{{ return(column.quoted) }}
{%- endmacro %}


{#- The text of a value that is one. -#}
{% macro text_of(value) -%}
{{ return(adapter.dispatch('text_of', 'akeneo_assets')(value)) }}
{%- endmacro %}

{% macro default__text_of(value) -%}
{{ return(value ~ '.text_value') }}
{%- endmacro %}

{#- target-duckdb makes null of an empty text. -#}
{% macro duckdb__text_of(value) -%}
{{ return("coalesce(" ~ value ~ ".text_value, case when " ~ value ~ ".raw_value = '\"\"' then '' end)") }}
{%- endmacro %}


{#- A member of a JSON object, as text. -#}
{% macro json_text(expression, name) -%}
{{ return(adapter.dispatch('json_text', 'akeneo_assets')(expression, name)) }}
{%- endmacro %}

{% macro default__json_text(expression, name) -%}
{{ return('(' ~ expression ~ ' ->> ' ~ akeneo_assets.literal(name) ~ ')') }}
{%- endmacro %}

{% macro snowflake__json_text(expression, name) -%}
{{ return('cast(' ~ expression ~ '[' ~ akeneo_assets.literal(name) ~ '] as varchar)') }}
{%- endmacro %}

{% macro duckdb__json_text(expression, name) -%}
{{ return('json_extract_string(' ~ expression ~ ', ' ~ akeneo_assets.literal('$."' ~ name ~ '"') ~ ')') }}
{%- endmacro %}


{#- How to get a row per text of an array: `join`, which follows a table in a FROM, and expressions for the text, `code`,
    and its place from 1, `place`. -#}
{% macro each_text(expression) -%}
{{ return(adapter.dispatch('each_text', 'akeneo_assets')(expression)) }}
{%- endmacro %}

{% macro default__each_text(expression) -%}
{{ return({
    'join': 'cross join lateral unnest(' ~ expression ~ ') with ordinality as chosen (code, place)',
    'code': 'chosen.code',
    'place': 'chosen.place'
}) }}
{%- endmacro %}

{% macro snowflake__each_text(expression) -%}
{{ return({
    'join': ', lateral flatten(input => ' ~ expression ~ ') as chosen',
    'code': 'cast(chosen.value as varchar)',
    'place': 'chosen.index + 1'
}) }}
{%- endmacro %}

{% macro duckdb__each_text(expression) -%}
{{ return({
    'join': 'cross join lateral (select unnest(' ~ expression ~ ') as code, generate_subscripts(' ~ expression
        ~ ', 1) as place) as chosen',
    'code': 'chosen.code',
    'place': 'chosen.place'
}) }}
{%- endmacro %}


{#- The texts of a group as an array, in an order. -#}
{% macro texts_in_order(expression, order) -%}
{{ return(adapter.dispatch('texts_in_order', 'akeneo_assets')(expression, order)) }}
{%- endmacro %}

{% macro default__texts_in_order(expression, order) -%}
{{ return('array_agg(' ~ expression ~ ' order by ' ~ order ~ ')') }}
{%- endmacro %}

{% macro snowflake__texts_in_order(expression, order) -%}
{{ return('array_agg(' ~ expression ~ ') within group (order by ' ~ order ~ ')') }}
{%- endmacro %}


{#- The array without texts. -#}
{% macro no_texts() -%}
{{ return(adapter.dispatch('no_texts', 'akeneo_assets')()) }}
{%- endmacro %}

{% macro default__no_texts() -%}
{{ return("cast('{}' as text[])") }}
{%- endmacro %}

{% macro snowflake__no_texts() -%}
{{ return('array_construct()') }}
{%- endmacro %}

{% macro duckdb__no_texts() -%}
{{ return('cast([] as varchar[])') }}
{%- endmacro %}


{#- The first text of an array. -#}
{% macro first_text(expression) -%}
{{ return(adapter.dispatch('first_text', 'akeneo_assets')(expression)) }}
{%- endmacro %}

{% macro default__first_text(expression) -%}
{{ return(expression ~ '[1]') }}
{%- endmacro %}

{% macro snowflake__first_text(expression) -%}
{{ return('cast(' ~ expression ~ '[0] as varchar)') }}
{%- endmacro %}


{#- What one row of a group at most has where a condition holds; null where none does. -#}
{% macro the_one(expression, type, condition) -%}
{{ return(adapter.dispatch('the_one', 'akeneo_assets')(expression, type, condition)) }}
{%- endmacro %}

{% macro default__the_one(expression, type, condition) -%}
{%- set aggregate = 'bool_or' if type == 'boolean' else 'max' -%}
{{ return(aggregate ~ '(' ~ expression ~ ') filter (where ' ~ condition ~ ')') }}
{%- endmacro %}

{% macro snowflake__the_one(expression, type, condition) -%}
{%- set given = 'case when ' ~ condition ~ ' then ' ~ expression ~ ' end' -%}
{%- if type == 'texts' -%}
    {#- ANY_VALUE may give a null though there is a value; ARRAY_AGG leaves nulls out. -#}
    {{ return('cast(array_agg(' ~ given ~ ')[0] as array)') }}
{%- else -%}
    {{ return(('boolor_agg(' if type == 'boolean' else 'max(') ~ given ~ ')') }}
{%- endif -%}
{%- endmacro %}

{% macro duckdb__the_one(expression, type, condition) -%}
{{ return('any_value(' ~ expression ~ ') filter (where ' ~ condition ~ ')') }}
{%- endmacro %}
