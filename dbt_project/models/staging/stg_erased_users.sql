with erasures as (

    select
        unit_type,
        user_id,
        erased_at
    from {{ source('ingestion', 'erased_users') }} final

)

select
    unit_type,
    user_id,
    max(erasures.erased_at) as erased_at
from erasures
group by unit_type, user_id
