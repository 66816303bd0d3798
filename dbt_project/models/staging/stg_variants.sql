with experiments as (

    select
        experiment_id,
        snapshot
    from {{ ref('stg_experiments') }}

),

variants as (

    select
        experiment_id,
        arrayJoin(
            JSONExtract(
                snapshot,
                'variants',
                'Array(Tuple(key String, weight Float64, is_control Bool, active Nullable(Bool)))'
            )
        ) as variant
    from experiments

)

select
    experiment_id,
    variant.1 as variant_key,
    variant.2 as weight,
    variant.3 as is_control,
    coalesce(variant.4, true) as active
from variants
