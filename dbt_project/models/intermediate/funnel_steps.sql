{{ config(materialized='view') }}

with metrics as (

    select
        experiments.experiment_id as experiment_id,
        JSONExtract(
            experiments.snapshot,
            'metrics',
            'Array(Tuple(role String, event_type String))'
        ) as metrics
    from {{ ref('stg_experiments') }} as experiments

),

steps as (

    select
        experiment_id,
        arrayConcat(
            ['exposure'],
            arraySlice(
                arrayDistinct(
                    arrayMap(
                        metric -> metric.2,
                        arrayFilter(metric -> metric.1 != 'guardrail' and metric.2 != 'exposure', metrics.metrics)
                    )
                ),
                1,
                9
            )
        ) as event_types
    from metrics

)

select
    experiment_id,
    toUInt8(step) as step,
    event_type
from steps
array join
    steps.event_types as event_type,
    arrayEnumerate(steps.event_types) as step
