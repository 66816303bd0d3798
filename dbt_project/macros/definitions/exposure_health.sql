{% macro exposure_health_rows(experiments, assigned, exposed, analysed, stamped=false) %}
{#- One row per experiment. stamped: whether the exposures' rows say with how many variants they were stamped. -#}
with experiments as (

    select * from {{ experiments }}

),

units as (

    select
        experiment_id,
        count() as assigned_units,
        countIf(variants > 1) as units_in_several_variants
    from {{ assigned }}
    group by experiment_id

),

exposed as (

    select
        exposed.experiment_id as experiment_id,
        countIf(assigned.user_id != '') as exposed_units,
        countIf(exposed.exposures > 1) as units_exposed_repeatedly,
        {%- if stamped %}
        countIf(exposed.variants > 1) as units_exposed_to_several_variants,
        {%- endif %}
        countIf(assigned.user_id = '') as exposed_without_assignment
    from {{ exposed }} as exposed
    left join {{ assigned }} as assigned
        on
            exposed.experiment_id = assigned.experiment_id
            and exposed.unit_type = assigned.unit_type
            and exposed.user_id = assigned.user_id
    group by experiment_id

),

analysed as (

    select
        experiment_id,
        count() as analysed_units
    from {{ analysed }}
    group by experiment_id

)

select
    experiments.experiment_id as experiment_id,
    experiments.experiment_key as experiment_key,
    units.assigned_units as assigned_units,
    units.units_in_several_variants as units_in_several_variants,
    exposed.exposed_units as exposed_units,
    exposed.units_exposed_repeatedly as units_exposed_repeatedly,
    {%- if stamped %}
    exposed.units_exposed_to_several_variants as units_exposed_to_several_variants,
    {%- endif %}
    exposed.exposed_without_assignment as exposed_without_assignment,
    analysed.analysed_units as analysed_units
from experiments
left join units
    on experiments.experiment_id = units.experiment_id
left join exposed
    on experiments.experiment_id = exposed.experiment_id
left join analysed
    on experiments.experiment_id = analysed.experiment_id
{% endmacro %}
