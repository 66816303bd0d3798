{% test unique_rows(model, columns, built_by_day=false) %}
{#-
    The grain: no two rows share these columns. built_by_day: a unit's row may move to a day that is built, from one that
    is not, by what came while it was built.
-#}
{{ settled_units(repeated_rows(model, columns, ['unit_type', 'user_id'])) if built_by_day
    else repeated_rows(model, columns) }}
{% endtest %}


{% macro repeated_rows(model, columns, also=[]) %}
{# Rows that share these columns, once, with one of their values of the others. #}
select
    {{ columns | join(', ') }},
    {% for column in also if column not in columns %}any(of_model.{{ column }}) as {{ column }},{% endfor %}
    count() as copies
from {{ model }} as of_model
group by {{ columns | join(', ') }}
having copies > 1
{% endmacro %}
