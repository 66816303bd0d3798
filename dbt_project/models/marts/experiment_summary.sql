{{ config(order_by='(experiment_id, variant_key)') }}

with experiments as (

    select * from {{ ref('stg_experiments') }}

),

variants as (

    select * from {{ ref('stg_variants') }}

),

units as (

    select
        experiment_id,
        variant_key,
        count() as units,
        min(exposures.first_exposed_at) as first_exposed_at,
        max(exposures.first_exposed_at) as last_exposed_at
    from {{ ref('first_exposures') }} as exposures
    group by experiment_id, variant_key

),

events as (

    select
        experiment_id,
        variant_key,
        countIf(event_type != 'exposure') as events,
        countIf(event_type = 'exposure') as exposures,
        countIf(is_conversion) as conversions,
        uniqExactIf(user_id, is_conversion) as converted_units,
        sum(outcomes.value) as value
    from {{ ref('attributed_events') }} as outcomes
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
    events.converted_units as converted_units,
    if(units.units = 0, null, events.converted_units / units.units) as conversion_rate,
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
