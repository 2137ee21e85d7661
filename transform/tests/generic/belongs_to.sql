{#- Each row has a row of the parent. Passes where the parent has no rows, since its stream was not selected.

    Args:
        parent: the parent's relation.
        columns: the row's columns, each to the parent's column that is the same. -#}
{% test belongs_to(model, parent, columns) %}
select child.*
from {{ model }} as child
where exists (select 1 from {{ parent }})
    and not exists (
        select 1
        from {{ parent }} as parent
        where {% for own, theirs in columns.items() %}{{ "and " if not loop.first }}parent.{{ theirs }} = child.{{ own }} {% endfor %}

    )
{% endtest %}
