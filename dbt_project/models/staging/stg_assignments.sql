with assignments as (

    select
        experiment_id,
        unit_type,
        user_id,
        variant_key,
        version,
        assigned_at,
        attributes,
        received_at
    from {{ source('ingestion', 'assignments') }} final

),

erased as (

    select
        unit_type,
        user_id,
        erased_at
    from {{ ref('stg_erased_users') }}

)

select
    assignments.experiment_id as experiment_id,
    assignments.unit_type as unit_type,
    assignments.user_id as user_id,
    assignments.variant_key as variant_key,
    assignments.version as version,
    assignments.assigned_at as assigned_at,
    assignments.attributes as attributes,
    assignments.received_at as received_at
from assignments
left any join erased
    on
        assignments.unit_type = erased.unit_type
        and assignments.user_id = erased.user_id
where assignments.received_at > erased.erased_at
