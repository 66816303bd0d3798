{% macro staged_events_rows(events, whole=false) %}
{#-
    One row per event that counts, without the erased and what is set aside, with the linked. whole: with the columns that
    only events_processed has.
-#}
with events as (

    select
        event_id,
        experiment_id,
        unit_type,
        user_id,
        event_type,
        {%- if whole %}
        variant_key,
        session_id,
        {%- endif %}
        app_version,
        timestamp,
        value,
        properties,
        is_conversion,
        {%- if whole %}
        is_click,
        page,
        {%- endif %}
        received_at,
        sent_at,
        clock_offset
    from {{ events }} final

),

{{ erased_and_links() }}

select
    events.event_id as event_id,
    events.experiment_id as experiment_id,
    events.unit_type as unit_type,
    {{ unit_of('events') }} as user_id,
    events.user_id as sent_as,
    events.event_type as event_type,
    {%- if whole %}
    events.variant_key as variant_key,
    events.session_id as session_id,
    {%- endif %}
    events.app_version as app_version,
    events.timestamp as occurred_at,
    toDate(events.timestamp, 'UTC') as event_date,
    events.value as value,
    events.properties as properties,
    events.is_conversion as is_conversion,
    {%- if whole %}
    events.is_click as is_click,
    events.page as page,
    {%- endif %}
    events.received_at as received_at,
    events.sent_at as sent_at,
    events.clock_offset as clock_offset
from {{ unerased_and_linked('events') }}
    and {{ not_set_aside() }}
{% endmacro %}
