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

    {{ erasures_by_key() }}

),

links as (

    select
        unit_type,
        anonymous_id,
        user_id
    from {{ ref('stg_user_links') }}

)

select
    assignments.experiment_id as experiment_id,
    assignments.unit_type as unit_type,
    if(links.user_id = '', assignments.user_id, links.user_id) as user_id,
    assignments.user_id as sent_as,
    assignments.variant_key as variant_key,
    assignments.version as version,
    assignments.assigned_at as assigned_at,
    assignments.attributes as attributes,
    assignments.received_at as received_at
from assignments
left any join erased on cityHash64(assignments.unit_type, assignments.user_id) = erased.person_key
left any join links on assignments.unit_type = links.unit_type and assignments.user_id = links.anonymous_id
where {{ not_erased('assignments') }}
