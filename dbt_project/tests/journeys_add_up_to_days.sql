-- Rows: a variant whose units' journeys hold other events than its days.
with days as (

    select
        experiment_id,
        variant_key,
        sum(daily.events) as events,
        sum(daily.conversions) as conversions,
        sum(daily.value) as value
    from {{ ref('daily_metrics') }} as daily
    group by experiment_id, variant_key

),

journeys as (

    select
        experiment_id,
        variant_key,
        sum(units.events) as events,
        sum(units.conversions) as conversions,
        sum(units.value) as value
    from {{ ref('user_journeys') }} as units
    group by experiment_id, variant_key

)

select
    experiment_id,
    variant_key
from journeys
full outer join days
    using (experiment_id, variant_key)
where (journeys.events, journeys.conversions, journeys.value) != (days.events, days.conversions, days.value)
