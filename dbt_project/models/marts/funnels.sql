{{ config(
    materialized='daily_partitions',
    axis='exposure',
    partition_by='exposure_date',
    order_by='(experiment_id, variant_key, step)'
) }}

-- depends_on: {{ ref('touched_days') }}
with steps as (

    select * from {{ ref('funnel_steps') }}

),

exposures as (

    select * from {{ ref('first_exposures') }}
    where {{ only_days('exposure_date') }}

),

events as (

    select * from {{ ref('stg_events') }}
    where
        event_type in (select steps.event_type from steps)
        and (unit_type, sent_as) in ({{ sent_ids('exposures') }})

),

taken as (

    select
        exposures.experiment_id as experiment_id,
        exposures.unit_type as unit_type,
        exposures.user_id as user_id,
        events.event_type as event_type,
        events.occurred_at as occurred_at
    from events
    inner join exposures
        on events.unit_type = exposures.unit_type and events.user_id = exposures.user_id
    where
        events.event_type != 'exposure'
        and events.experiment_id in (0, exposures.experiment_id)
        and dateDiff('microsecond', exposures.first_exposed_at, events.occurred_at) >= 0
        and dateDiff('microsecond', exposures.first_exposed_at, events.occurred_at)
        < 1000000 * toInt64({{ var('funnel_seconds') }})

),

reached as (

    select
        taken.experiment_id as experiment_id,
        taken.unit_type as unit_type,
        taken.user_id as user_id,
        -- From one step to the next, in the order of time: what comes too early is passed over.
        arrayFold(
            (last_step, event) -> if(event.2 = last_step + 1, event.2, last_step),
            arraySort(groupArray((taken.occurred_at, steps.step))),
            toUInt8(1)
        ) as last_step
    from taken
    inner join steps
        on taken.experiment_id = steps.experiment_id and taken.event_type = steps.event_type
    group by experiment_id, unit_type, user_id

)

select
    exposures.experiment_id as experiment_id,
    exposures.variant_key as variant_key,
    exposures.exposure_date as exposure_date,
    steps.step as step,
    steps.event_type as event_type,
    count() as entered_units,
    countIf(greatest(reached.last_step, 1) >= steps.step) as units
from exposures
inner join steps
    on exposures.experiment_id = steps.experiment_id
left join reached
    on
        exposures.experiment_id = reached.experiment_id
        and exposures.unit_type = reached.unit_type
        and exposures.user_id = reached.user_id
group by experiment_id, variant_key, exposure_date, step, event_type
