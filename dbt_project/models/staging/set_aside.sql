{{ config(
    materialized='incremental',
    on_schema_change='append_new_columns',
    order_by='(unit_type, user_id, timestamp, event_id)'
) }}

with events as (

    select
        event_id,
        toDate(timestamp, 'UTC') as event_date,
        unit_type,
        user_id,
        timestamp,
        received_at
    from {{ source('ingestion', 'events_processed') }} final
    where {{ on_days_of_new_rows() }}

),

again as (

    select
        event_date,
        event_id
    from events
    group by event_date, event_id
    having count() > 1

),

erased as (

    {{ erasures_by_key() }}

),

-- What an erased person sent is no event any more: its id is free.
placed as (

    select
        events.event_id as event_id,
        events.event_date as event_date,
        events.unit_type as unit_type,
        events.user_id as user_id,
        events.timestamp as timestamp,
        events.received_at as received_at,
        row_number() over (
            partition by events.event_date, events.event_id
            order by events.received_at, events.unit_type, events.user_id, events.timestamp
        ) as place
    from events
    {{ join_erased('events') }}
    where
        (events.event_date, events.event_id) in (
            select
                again.event_date,
                again.event_id
            from again
        )
        and {{ not_erased('events') }}

)

select
    'events_processed' as source_table,
    'id_came_again' as rule,
    event_id,
    event_date,
    unit_type,
    user_id,
    timestamp,
    received_at,
    now64(3, 'UTC') as set_aside_at
from placed
where place > 1 and {{ not_known_aside() }}
