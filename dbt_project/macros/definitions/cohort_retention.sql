{% macro cohort_retention_rows(journeys) %}
{#- One row per experiment, variant, first-exposure day and day since. -#}
with units as (

    select
        experiment_id,
        variant_key,
        exposure_date,
        active_days
    from {{ journeys }}

),

cohorts as (

    select
        experiment_id,
        variant_key,
        exposure_date,
        count() as cohort_units,
        -- The days on which anyone was active, and how many were.
        sumMap(units.active_days, arrayWithConstant(length(units.active_days), toUInt64(1))) as active,
        arrayMax(arrayPushFront(active.1, toUInt16(0))) as last_day
    from units
    group by experiment_id, variant_key, exposure_date

),

-- As long as any variant of the cohort was active: a day without activity is a row, not a gap.
days as (

    select
        experiment_id,
        exposure_date,
        max(cohorts.last_day) as last_day,
        groupArray((cohorts.variant_key, cohorts.cohort_units, cohorts.active)) as variants
    from cohorts
    group by experiment_id, exposure_date

),

variants as (

    select
        experiment_id,
        exposure_date,
        last_day,
        arrayJoin(days.variants) as variant
    from days

)

select
    experiment_id,
    variant.1 as variant_key,
    exposure_date,
    toUInt16(day_since) as day_since,
    variant.2 as cohort_units,
    variant.3.2[indexOf(variant.3.1, day_since)] as active_units
from variants
array join range(toUInt32(variants.last_day) + 1) as day_since
{% endmacro %}
