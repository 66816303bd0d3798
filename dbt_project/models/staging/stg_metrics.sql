with snapshots as (

    select
        experiment_id,
        version,
        snapshot,
        received_at
    from {{ source('ingestion', 'experiments') }} final

),

metrics as (

    select
        experiment_id,
        version,
        received_at,
        arrayJoin(
            JSONExtract(
                snapshot,
                'metrics',
                'Array(Tuple(
                    key String,
                    version UInt32,
                    type String,
                    role String,
                    direction String,
                    event_type String,
                    property_filter Map(String, String),
                    aggregation String,
                    window_seconds Nullable(UInt64),
                    cap Nullable(String)
                ))'
            )
        ) as metric
    from snapshots

)

select
    experiment_id,
    metric.1 as metric_key,
    metric.2 as metric_version,
    metric.3 as metric_type,
    metric.4 as role,
    metric.5 as direction,
    metric.6 as event_type,
    metric.7 as property_filter,
    metric.8 as aggregation,
    metric.9 as window_seconds,
    toDecimal128OrNull(metric.10, 6) as cap
from metrics
order by experiment_id asc, metric_key asc, metric_version asc, version desc, received_at desc
limit 1 by experiment_id, metric_key, metric_version
