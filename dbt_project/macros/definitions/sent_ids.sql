{% macro sent_ids(units, also=[]) %}
    {#-
        Every id of the units, their own and those linked to them, as rows of (unit_type, sent_as). What was sent is
        stored in the order of these ids, so that a few units are read without the others.
        units: rows with unit_type, user_id and, where they are to be carried along, the columns of `also`.
    -#}
    select
        units.unit_type as unit_type,
        {%- for column in also %}
        units.{{ column }} as {{ column }},
        {%- endfor %}
        arrayJoin(arrayPushFront(linked.anonymous_ids, units.user_id)) as sent_as
    from {{ units }} as units
    left any join (
        select
            unit_type,
            user_id,
            groupArray(known.anonymous_id) as anonymous_ids
        from {{ ref('stg_user_links') }} as known
        group by unit_type, user_id
    ) as linked
        on units.unit_type = linked.unit_type and units.user_id = linked.user_id
{% endmacro %}


{% macro events_of(units, condition=none) %}
    {#- The units' events, found by all of their ids. units: rows with unit_type and user_id. condition: on the events. -#}
    (
        select *
        from {{ ref('stg_events') }}
        where {% if condition %}{{ condition }} and {% endif %}(unit_type, sent_as) in ({{ sent_ids(units) }})
    )
{%- endmacro %}
