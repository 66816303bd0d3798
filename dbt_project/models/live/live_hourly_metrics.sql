{% set open_hours = hourly_metrics_rows(
    ref('stg_recent_events'), ref('live_first_exposures'), condition='hour >= ' ~ live_open_at()
) -%}

{{ built_and_open(
    ref('hourly_metrics'),
    '(' ~ open_hours ~ ')',
    closed='hour < ' ~ live_open_at()
) }}
