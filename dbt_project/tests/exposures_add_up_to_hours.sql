{{ config(meta={'dagster': {'ref': {'name': 'hourly_metrics'}}}) }}
-- Rows: a variant whose closed hours hold other first exposures than there are units. Not of months that
-- retention let go: their hours stay as they were built, and a unit that is erased goes.
{% set open_at = built_open_at() -%}
{% set differing -%}
with hours as (

    select
        experiment_id,
        variant_key,
        sum(hourly.first_exposures) as units
    from {{ ref('hourly_metrics') }} as hourly
    where hourly.hour < {{ open_at }} and not {{ in_dropped_month('hourly.date') }}
    group by experiment_id, variant_key

),

exposures as (

    select
        experiment_id,
        variant_key,
        count() as units
    from {{ ref('first_exposures') }} as exposed
    where exposed.first_exposed_at < {{ open_at }} and not {{ in_dropped_month('exposed.exposure_date') }}
    group by experiment_id, variant_key

)

select
    experiment_id,
    variant_key
from exposures
full outer join hours
    using (experiment_id, variant_key)
where exposures.units != hours.units
{%- endset %}
{{ settled_experiments(differing, open_at) }}
