-- depends_on: {{ ref('set_aside') }}
with events as (

    select
        event_id,
        experiment_id,
        unit_type,
        user_id,
        event_type,
        variant_key,
        session_id,
        app_version,
        timestamp,
        value,
        properties,
        is_conversion,
        is_click,
        page,
        received_at,
        sent_at,
        clock_offset
    from {{ source('ingestion', 'events_processed') }} final

),

erased as (

    {{ erasures_by_key() }}

),

links as (

    select
        unit_type,
        anonymous_id,
        user_id
    from {{ ref('stg_user_links') }}

)

select
    events.event_id as event_id,
    events.experiment_id as experiment_id,
    events.unit_type as unit_type,
    if(links.user_id = '', events.user_id, links.user_id) as user_id,
    events.user_id as sent_as,
    events.event_type as event_type,
    events.variant_key as variant_key,
    events.session_id as session_id,
    events.app_version as app_version,
    events.timestamp as occurred_at,
    toDate(events.timestamp, 'UTC') as event_date,
    events.value as value,
    events.properties as properties,
    events.is_conversion as is_conversion,
    events.is_click as is_click,
    events.page as page,
    events.received_at as received_at,
    events.sent_at as sent_at,
    events.clock_offset as clock_offset
from events
left any join erased on cityHash64(events.unit_type, events.user_id) = erased.person_key
left any join links on events.unit_type = links.unit_type and events.user_id = links.anonymous_id
where
    {{ not_erased('events') }}
    and {{ not_set_aside() }}
