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

{{ erased_and_links() }}

select
    assignments.experiment_id as experiment_id,
    assignments.unit_type as unit_type,
    {{ unit_of('assignments') }} as user_id,
    assignments.user_id as sent_as,
    assignments.variant_key as variant_key,
    assignments.version as version,
    assignments.assigned_at as assigned_at,
    assignments.attributes as attributes,
    assignments.received_at as received_at
from {{ unerased_and_linked('assignments') }}
