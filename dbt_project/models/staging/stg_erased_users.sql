with erasures as (

    select
        unit_type,
        person,
        person_key,
        erased_at
    from {{ source('ingestion', 'erased_users') }} final

)

select
    unit_type,
    person,
    person_key,
    max(erasures.erased_at) as erased_at
from erasures
group by unit_type, person, person_key
