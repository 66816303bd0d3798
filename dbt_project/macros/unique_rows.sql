{% test unique_rows(model, columns, built_by_day=false) %}
{#-
    The grain: no two rows share these columns. built_by_day: a unit's row may move to a day that is built, from one that
    is not, by what came while it was built.
-#}
{% set repeated -%}
select
    {{ columns | join(', ') }},
    {%- for column in (['unit_type', 'user_id'] if built_by_day else []) if column not in columns %}
    any(of_model.{{ column }}) as {{ column }},
    {%- endfor %}
    count() as copies
from {{ model }} as of_model
group by {{ columns | join(', ') }}
having copies > 1
{%- endset %}
{{ settled_units(repeated) if built_by_day else repeated }}
{% endtest %}
