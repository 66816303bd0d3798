{% macro funnels_rows(journeys, steps) %}
{#- One row per experiment, variant, first-exposure day and step. steps: rows of funnel_steps. -#}
with reached as (

    select
        experiment_id,
        variant_key,
        exposure_date,
        last_step,
        count() as units
    from {{ journeys }}
    group by experiment_id, variant_key, exposure_date, last_step

),

steps as (

    select * from {{ steps }}

)

select
    reached.experiment_id as experiment_id,
    reached.variant_key as variant_key,
    reached.exposure_date as exposure_date,
    steps.step as step,
    steps.event_type as event_type,
    sum(reached.units) as entered_units,
    sumIf(reached.units, reached.last_step >= steps.step) as units
from reached
inner join steps
    on reached.experiment_id = steps.experiment_id
group by experiment_id, variant_key, exposure_date, step, event_type
{% endmacro %}
