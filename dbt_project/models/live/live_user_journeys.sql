{% set open_at = '(select open_from.open_at from ' ~ ref('open_from') ~ ' as open_from)' -%}

select
    experiment_id,
    variant_key,
    unit_type,
    user_id,
    version,
    exposure_date,
    first_exposed_at,
    events,
    exposures,
    conversions,
    value,
    app_version,
    first_converted_at,
    last_event_at,
    path,
    last_step,
    active_days
from {{ ref('user_journeys') }}
where
    first_exposed_at < {{ open_at }}
    and (experiment_id, unit_type, user_id) not in (
        select
            changed.experiment_id,
            changed.unit_type,
            changed.user_id
        from {{ ref('open_journeys') }} as changed
    )

union all

select
    experiment_id,
    variant_key,
    unit_type,
    user_id,
    version,
    exposure_date,
    first_exposed_at,
    events,
    exposures,
    conversions,
    value,
    app_version,
    first_converted_at,
    last_event_at,
    path,
    last_step,
    active_days
from {{ ref('open_journeys') }}
