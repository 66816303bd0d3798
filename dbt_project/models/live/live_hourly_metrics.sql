{% set open_at = '(select open_from.open_at from ' ~ ref('open_from') ~ ' as open_from)' -%}

select
    experiment_id,
    variant_key,
    date,
    hour,
    events,
    exposures,
    conversions,
    value,
    corrected_events,
    events_from_afar,
    early_events,
    first_exposures
from {{ ref('hourly_metrics') }}
where hour < {{ open_at }}

union all

select
    experiment_id,
    variant_key,
    date,
    hour,
    events,
    exposures,
    conversions,
    value,
    corrected_events,
    events_from_afar,
    early_events,
    first_exposures
from (
    {{ hourly_metrics_rows(
        ref('stg_recent_events'), ref('live_first_exposures'), condition='hour >= ' ~ open_at
    ) }}
)
