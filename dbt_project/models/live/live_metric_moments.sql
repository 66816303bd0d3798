select
    experiment_id,
    variant_key,
    metric_key,
    metric_version,
    version,
    exposure_date,
    n,
    sum_value,
    sum_squares,
    sum_denominator,
    sum_denominator_squares,
    sum_value_denominator,
    sum_covariate,
    sum_covariate_squares,
    sum_value_covariate,
    sum_denominator_covariate
from {{ ref('moments_now') }}
