{{ config(meta={'dagster': {'ref': {'name': 'daily_metrics'}}}) }}
-- Rows: a day of a variant that its hours do not add up to.
with hours as (

    select
        experiment_id,
        variant_key,
        date,
        sum(hourly.events) as events,
        sum(hourly.value) as value,
        sum(hourly.first_exposures) as first_exposures
    from {{ ref('hourly_metrics') }} as hourly
    group by experiment_id, variant_key, date

)

select
    experiment_id,
    variant_key,
    date
from {{ ref('daily_metrics') }} as days
full outer join hours
    using (experiment_id, variant_key, date)
where (days.events, days.value, days.first_exposures) != (hours.events, hours.value, hours.first_exposures)
