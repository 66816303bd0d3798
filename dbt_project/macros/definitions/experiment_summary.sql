{% macro experiment_summary_rows(experiments, variants, exposures, days, converted) %}
{#- One row per experiment and variant of its newest configuration. converted: one row per unit with a conversion. -#}
with experiments as (

    select * from {{ experiments }}

),

variants as (

    select * from {{ variants }}

),

units as (

    select
        experiment_id,
        variant_key,
        count() as units,
        min(exposures.first_exposed_at) as first_exposed_at,
        max(exposures.first_exposed_at) as last_exposed_at
    from {{ exposures }} as exposures
    group by experiment_id, variant_key

),

events as (

    select
        experiment_id,
        variant_key,
        sum(days.events) as events,
        sum(days.exposures) as exposures,
        sum(days.conversions) as conversions,
        sum(days.value) as value
    from {{ days }} as days
    group by experiment_id, variant_key

),

converted as (

    select
        experiment_id,
        variant_key,
        count() as converted_units
    from {{ converted }}
    group by experiment_id, variant_key

)

select
    variants.experiment_id as experiment_id,
    experiments.experiment_key as experiment_key,
    experiments.status as status,
    variants.variant_key as variant_key,
    variants.is_control as is_control,
    variants.weight as weight,
    units.units as units,
    events.events as events,
    events.exposures as exposures,
    events.conversions as conversions,
    converted.converted_units as converted_units,
    if(units.units = 0, null, converted.converted_units / units.units) as conversion_rate,
    events.value as value,
    if(units.units = 0, null, units.first_exposed_at) as first_exposed_at,
    if(units.units = 0, null, units.last_exposed_at) as last_exposed_at
from variants
inner join experiments
    on variants.experiment_id = experiments.experiment_id
left join units
    on variants.experiment_id = units.experiment_id and variants.variant_key = units.variant_key
left join events
    on variants.experiment_id = events.experiment_id and variants.variant_key = events.variant_key
left join converted
    on variants.experiment_id = converted.experiment_id and variants.variant_key = converted.variant_key
{% endmacro %}
