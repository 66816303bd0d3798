{#-
    A live view: what is built, of closed hours, and after it what is computed of open ones. Both have the columns of the
    model that asks, which its YAML names.
-#}

{% macro built_and_open(built, open, closed=none, still_open=none, key=none) %}
    {#-
        closed, still_open: conditions on the rows of each. key: columns by which a row that is built gives way to an open
        one.
    -#}
    {%- set of_built = [closed, not_among(open, key) if key else none] | select | join('\n    and ') -%}
select
    {{ contract_columns() }}
from {{ built }}
where
    {{ of_built }}

union all

select
    {{ contract_columns() }}
from {{ open }}
{%- if still_open %}
where {{ still_open }}
{%- endif %}
{% endmacro %}


{% macro contract_columns() %}
    {{- model.columns | join(',\n    ') -}}
{% endmacro %}


{% macro not_among(rows, key) %}
    {#- The condition that none of these rows has the same key. -#}
    ({{ key | join(', ') }}) not in (
        select
            {%- for column in key %}
            changed.{{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ rows }} as changed
    )
{%- endmacro %}


{% macro live_open_at() %}
    {#- The hour from which on nothing is closed, as the last build left it. -#}
    (select open_from.open_at from {{ ref('open_from') }} as open_from)
{%- endmacro %}


{% macro built_open_at() %}
    {#- The same hour, as the tables themselves were last built: up to it they hold what is closed. -#}
    (select max(journeys.open_at) from {{ ref('user_journeys') }} as journeys)
{%- endmacro %}
