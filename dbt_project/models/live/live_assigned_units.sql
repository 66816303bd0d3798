select
    experiment_id,
    unit_type,
    user_id,
    variants,
    variant_key,
    version,
    attributes,
    assigned_at
from {{ ref('assigned_units') }}
where (experiment_id, unit_type, user_id) not in (
    select
        entered.experiment_id,
        entered.unit_type,
        entered.user_id
    from {{ ref('entered_units') }} as entered
)

union all

select
    experiment_id,
    unit_type,
    user_id,
    variants,
    variant_key,
    version,
    attributes,
    assigned_at
from {{ ref('entered_units') }}
