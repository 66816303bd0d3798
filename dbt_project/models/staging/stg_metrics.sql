{#- A metric as snapshots carry it. -#}
{%- set metric_type -%}
Array(Tuple(
            key String,
            version UInt32,
            type String,
            role String,
            direction String,
            event_type String,
            property_filter Map(String, String),
            aggregation String,
            denominator Tuple(
                event_type String,
                property_filter Map(String, String),
                aggregation String
            ),
            window_start_seconds UInt64,
            window_seconds Nullable(UInt64),
            cap Nullable(String),
            cap_percentile Nullable(String),
            quantile Nullable(String),
            minimum_effect Nullable(String),
            margin Nullable(String),
            margin_relative Nullable(Bool),
            cuped Nullable(Bool),
            missing String
        ))
{%- endset -%}
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
            arrayConcat(
                JSONExtract(snapshot, 'metrics', '{{ metric_type }}'),
                JSONExtract(snapshot, 'watched', '{{ metric_type }}')
            )
        ) as metric
    from snapshots

)

select
    experiment_id,
    tupleElement(metric, 'key') as metric_key,
    greatest(tupleElement(metric, 'version'), 1) as metric_version,
    tupleElement(metric, 'type') as metric_type,
    if(tupleElement(metric, 'role') = '', 'primary', tupleElement(metric, 'role')) as role,
    if(tupleElement(metric, 'direction') = '', 'increase', tupleElement(metric, 'direction')) as direction,
    tupleElement(metric, 'event_type') as event_type,
    tupleElement(metric, 'property_filter') as property_filter,
    tupleElement(metric, 'aggregation') as aggregation,
    tupleElement(tupleElement(metric, 'denominator'), 'event_type') as denominator_event_type,
    tupleElement(tupleElement(metric, 'denominator'), 'property_filter') as denominator_filter,
    tupleElement(tupleElement(metric, 'denominator'), 'aggregation') as denominator_aggregation,
    tupleElement(metric, 'window_start_seconds') as window_start_seconds,
    tupleElement(metric, 'window_seconds') as window_seconds,
    toDecimal128OrNull(tupleElement(metric, 'cap'), 6) as cap,
    toDecimal64OrNull(tupleElement(metric, 'cap_percentile'), 6) as cap_percentile,
    toDecimal64OrNull(tupleElement(metric, 'quantile'), 6) as quantile,
    toDecimal64OrNull(tupleElement(metric, 'minimum_effect'), 6) as minimum_effect,
    toDecimal64OrNull(tupleElement(metric, 'margin'), 6) as margin,
    coalesce(tupleElement(metric, 'margin_relative'), true) as margin_relative,
    coalesce(tupleElement(metric, 'cuped'), true) as cuped,
    if(tupleElement(metric, 'missing') = '', 'zero', tupleElement(metric, 'missing')) as missing
from metrics
order by experiment_id asc, metric_key asc, metric_version asc, version desc, received_at desc
limit 1 by experiment_id, metric_key, metric_version
