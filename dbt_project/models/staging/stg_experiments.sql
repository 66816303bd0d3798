with snapshots as (

    select
        experiment_id,
        version,
        key,
        name,
        source,
        unit_type,
        population,
        status,
        snapshot,
        started_at,
        concluded_at,
        received_at
    from {{ source('ingestion', 'experiments') }} final

)

select
    experiment_id,
    version,
    key as experiment_key,
    name,
    source,
    unit_type,
    population,
    status,
    snapshot,
    started_at,
    concluded_at,
    received_at
from snapshots
order by experiment_id asc, version desc, received_at desc
limit 1 by experiment_id
