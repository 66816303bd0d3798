{% set open_day = '(select open_from.open_day from ' ~ ref('open_from') ~ ' as open_from)' -%}

select
    experiment_id,
    variant_key,
    date,
    hour,
    events,
    exposures,
    conversions,
    value,
    first_exposures
from {{ ref('hourly_metrics') }}
where date < {{ open_day }}

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
    first_exposures
from (
    {{ hourly_metrics_rows(
        ref('stg_recent_events'), ref('live_first_exposures'), condition='date >= ' ~ open_day
    ) }}
)
