{{ config(meta={'dagster': {'ref': {'name': 'experiment_summary'}}}) }}
-- Rows: a variant whose days do not add up to its summary.
with days as (

    select
        experiment_id,
        variant_key,
        sum(daily.events) as events,
        sum(daily.exposures) as exposures,
        sum(daily.conversions) as conversions,
        sum(daily.value) as value
    from {{ ref('daily_metrics') }} as daily
    group by experiment_id, variant_key

)

select
    experiment_id,
    variant_key
from {{ ref('experiment_summary') }} as summary
full outer join days
    using (experiment_id, variant_key)
where
    (summary.events, summary.exposures, summary.conversions, summary.value)
    != (days.events, days.exposures, days.conversions, days.value)
