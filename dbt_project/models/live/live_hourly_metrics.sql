{% set open_day = '(select open_from.open_day from ' ~ ref('open_from') ~ ' as open_from)' -%}

select * from {{ ref('hourly_metrics') }}
where date < {{ open_day }}

union all

select * from (
    {{ hourly_metrics_rows(
        ref('stg_recent_events'), ref('live_first_exposures'), condition='date >= ' ~ open_day
    ) }}
)
