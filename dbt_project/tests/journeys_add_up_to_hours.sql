{{ config(meta={'dagster': {'ref': {'name': 'user_journeys'}}}) }}
-- Rows: a variant whose units' journeys hold other events of closed hours than its hours, and so its days.
-- Not of an experiment that began in a month that retention let go: the journeys of then stay as they were built, and
-- the hours afterwards count on.
{% set open_at = built_open_at() -%}
{% set differing -%}
with hours as (

    select
        experiment_id,
        variant_key,
        sum(hourly.events) as events,
        sum(hourly.conversions) as conversions,
        sum(hourly.value) as value
    from {{ ref('hourly_metrics') }} as hourly
    where hourly.hour < {{ open_at }}
    group by experiment_id, variant_key

),

journeys as (

    select
        experiment_id,
        variant_key,
        sum(units.closed_events) as events,
        sum(units.closed_conversions) as conversions,
        sum(units.closed_value) as value
    from {{ ref('user_journeys') }} as units
    group by experiment_id, variant_key

)

select
    experiment_id,
    variant_key
from journeys
full outer join hours
    using (experiment_id, variant_key)
where
    (journeys.events, journeys.conversions, journeys.value) != (hours.events, hours.conversions, hours.value)
    and experiment_id not in (
        select hourly.experiment_id from {{ ref('hourly_metrics') }} as hourly
        where {{ in_dropped_month('hourly.date') }}

        union all

        select units.experiment_id from {{ ref('user_journeys') }} as units
        where {{ in_dropped_month('units.exposure_date') }}
    )
{%- endset %}
{{ settled_experiments(differing, open_at) }}
