{{ config(order_by='(experiment_id)') }}

with experiments as (

    select * from {{ ref('stg_experiments') }}

),

units as (

    select
        experiment_id,
        count() as assigned_units,
        countIf(variants > 1) as units_in_several_variants
    from {{ ref('assigned_units') }}
    group by experiment_id

),

analysed as (

    select
        experiment_id,
        count() as analysed_units
    from {{ ref('first_exposures') }}
    group by experiment_id

),

unassigned as (

    select
        exposures.experiment_id as experiment_id,
        uniqExact(exposures.unit_type, exposures.user_id) as exposed_without_assignment
    from {{ ref('stg_events') }} as exposures
    left anti join {{ ref('assigned_units') }} as assigned
        on
            exposures.experiment_id = assigned.experiment_id
            and exposures.unit_type = assigned.unit_type
            and exposures.user_id = assigned.user_id
    where exposures.event_type = 'exposure' and exposures.experiment_id > 0
    group by exposures.experiment_id

)

select
    experiments.experiment_id as experiment_id,
    experiments.experiment_key as experiment_key,
    units.assigned_units as assigned_units,
    units.units_in_several_variants as units_in_several_variants,
    analysed.analysed_units as analysed_units,
    unassigned.exposed_without_assignment as exposed_without_assignment
from experiments
left join units
    on experiments.experiment_id = units.experiment_id
left join analysed
    on experiments.experiment_id = analysed.experiment_id
left join unassigned
    on experiments.experiment_id = unassigned.experiment_id
