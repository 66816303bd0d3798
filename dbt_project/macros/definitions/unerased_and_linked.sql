{#-
    What was sent, without the erased, with the linked. An anonymous id and the person it is linked to are one unit, named
    by the person's id; rows carry the id that was sent. A model has the CTEs of erased_and_links, takes its rows from
    unerased_and_linked and names the unit by unit_of.
-#}

{% macro erased_and_links() -%}
erased as (

    {{ erasures_by_key() }}

),

links as (

    {{ links_by_id() }}

)
{%- endmacro %}


{% macro unerased_and_linked(rows) %}
    {#- The rows of the CTE `rows` that are no erased person's, joined with `links`: what comes after a FROM. -#}
    {{ rows }}
    {{ join_erased(rows) }}
    {{ join_links(rows) }}
where
    {{ not_erased(rows) }}
{%- endmacro %}


{% macro links_by_id() -%}
    select
        unit_type,
        anonymous_id,
        user_id
    from {{ ref('stg_user_links') }}
{%- endmacro %}


{% macro join_links(rows) -%}
    left any join links on {{ rows }}.unit_type = links.unit_type and {{ rows }}.user_id = links.anonymous_id
{%- endmacro %}


{% macro unit_of(rows) %}
    {#- The unit's id, of rows joined with the CTE `links`: the person's where the id that was sent is linked. -#}
    if(links.user_id = '', {{ rows }}.user_id, links.user_id)
{%- endmacro %}
