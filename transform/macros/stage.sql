{#- A stream's rows as the PIM has them: columns of one type each, and no row that the target marked as deleted.

    A column that the target's table does not have, since the field was not selected, is null in each row; a
    table that is not there, since the stream was not selected, gives no row.

    Args:
        stream: name of the stream.
        columns: its columns, name to type: text, integer, number, boolean, timestamp, texts (array) or json. -#}
{% macro stage(stream, columns) %}
{%- set relation = source('akeneo', stream) -%}
{%- set found = akeneo_assets.columns_of(relation) if execute else {} -%}
select
{%- for name, type in columns.items() %}
    {{ akeneo_assets.staged_column(found.get(name), type) }} as {{ akeneo_assets.quoted(name) }}{{ "," if not loop.last }}
{%- endfor %}
{{ akeneo_assets.from_loaded(relation, found) }}
{%- endmacro %}


{#- The FROM and WHERE of a stream's rows. -#}
{% macro from_loaded(relation, found) -%}
{%- if not found -%}
from (select 1 as nothing) as no_table
where 1 = 0
{%- else -%}
from {{ relation }}
{%- if '_sdc_deleted_at' in found %}
where {{ found['_sdc_deleted_at'].quoted }} is null
{%- endif %}
{%- endif -%}
{%- endmacro %}


{#- The columns of a table that a target made: per name in lower case, the column; none when there is no such table.
    `quoted` of a column is its name as SQL spells it, `data_type` its type in lower case. -#}
{% macro columns_of(relation) -%}
{{ return(adapter.dispatch('columns_of', 'akeneo_assets')(relation)) }}
{%- endmacro %}

{% macro default__columns_of(relation) -%}
{%- set found = {} -%}
{%- set existing = adapter.get_relation(relation.database, relation.schema, relation.identifier) -%}
{%- if existing -%}
    {%- for column in adapter.get_columns_in_relation(existing) -%}
        {%- do found.update({
            column.name | lower: {'quoted': adapter.quote(column.name), 'data_type': column.data_type | lower}
        }) -%}
    {%- endfor -%}
{%- endif -%}
{{ return(found) }}
{%- endmacro %}


{#- A column as a staging model has it. -#}
{% macro staged_column(column, type) -%}
{%- if not column -%}
    cast(null as {{ akeneo_assets.type_of(type) }})
{%- elif type == 'timestamp' -%}
    {{ akeneo_assets.utc(column) }}
{%- elif type == 'texts' -%}
    {{ akeneo_assets.text_array(column) }}
{%- elif type == 'json' -%}
    {{ akeneo_assets.json(column) }}
{%- elif type == 'number' -%}
    {{ akeneo_assets.number(column) }}
{%- else -%}
    cast({{ column.quoted }} as {{ akeneo_assets.type_of(type) }})
{%- endif -%}
{%- endmacro %}
