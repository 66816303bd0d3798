{% set open_at = '(select open_from.open_at from ' ~ ref('open_from') ~ ' as open_from)' -%}

select
    experiment_id,
    metric_key,
    metric_version,
    unit_type,
    user_id,
    variant_key,
    version,
    first_exposed_at,
    exposure_date,
    value_decimal,
    value,
    denominator,
    covariate,
    is_missing,
    just_before,
    window_seconds,
    closed_value,
    closed_denominator,
    closed_answers,
    open_at
from {{ ref('unit_metric_values') }}
where
    first_exposed_at < {{ open_at }}
    and (experiment_id, metric_key, metric_version, unit_type, user_id) not in (
        select
            changed.experiment_id,
            changed.metric_key,
            changed.metric_version,
            changed.unit_type,
            changed.user_id
        from {{ ref('changed_units') }} as changed
    )

union all

select
    experiment_id,
    metric_key,
    metric_version,
    unit_type,
    user_id,
    variant_key,
    version,
    first_exposed_at,
    exposure_date,
    value_decimal,
    value,
    denominator,
    covariate,
    is_missing,
    just_before,
    window_seconds,
    closed_value,
    closed_denominator,
    closed_answers,
    open_at
from {{ ref('changed_units') }}
