{{ config(
    materialized='daily_partitions',
    axis='exposure',
    partition_by='exposure_date',
    order_by='(experiment_id, variant_key, day_since)'
) }}

-- depends_on: {{ ref('touched_days') }}
with exposures as (

    select * from {{ ref('first_exposures') }}
    where {{ only_days('exposure_date') }}

),

events as (

    select * from {{ ref('stg_events') }}
    where (unit_type, sent_as) in ({{ sent_ids('exposures') }})

),

active as (

    select
        exposures.experiment_id as experiment_id,
        exposures.variant_key as variant_key,
        exposures.exposure_date as exposure_date,
        toUInt16(
            intDiv(dateDiff('microsecond', exposures.first_exposed_at, events.occurred_at), 86400000000)
        ) as day_since,
        uniqExact(exposures.unit_type, exposures.user_id) as active_units
    from events
    inner join exposures
        on events.unit_type = exposures.unit_type and events.user_id = exposures.user_id
    where
        events.event_type != 'exposure'
        and events.experiment_id in (0, exposures.experiment_id)
        and events.occurred_at >= exposures.first_exposed_at
        and events.occurred_at < exposures.first_exposed_at + toIntervalDay({{ var('retention_days') }})
    group by experiment_id, variant_key, exposure_date, day_since

),

cohorts as (

    select
        experiment_id,
        variant_key,
        exposure_date,
        count() as cohort_units
    from exposures
    group by experiment_id, variant_key, exposure_date

),

-- As long as any variant of the cohort was active: a day without activity is a row, not a gap.
days as (

    select
        cohorts.experiment_id as experiment_id,
        cohorts.exposure_date as exposure_date,
        max(active.day_since) as last_day
    from cohorts
    left join active
        on cohorts.experiment_id = active.experiment_id and cohorts.exposure_date = active.exposure_date
    group by experiment_id, exposure_date

),

followed as (

    select
        cohorts.experiment_id as experiment_id,
        cohorts.variant_key as variant_key,
        cohorts.exposure_date as exposure_date,
        cohorts.cohort_units as cohort_units,
        toUInt16(arrayJoin(range(toUInt32(days.last_day) + 1))) as day_since
    from cohorts
    inner join days
        on cohorts.experiment_id = days.experiment_id and cohorts.exposure_date = days.exposure_date

)

select
    followed.experiment_id as experiment_id,
    followed.variant_key as variant_key,
    followed.exposure_date as exposure_date,
    followed.day_since as day_since,
    followed.cohort_units as cohort_units,
    active.active_units as active_units
from followed
left join active
    on
        followed.experiment_id = active.experiment_id
        and followed.variant_key = active.variant_key
        and followed.exposure_date = active.exposure_date
        and followed.day_since = active.day_since
