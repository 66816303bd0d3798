select
    metric_key,
    role,
    variant_key,
    mean_control,
    mean_variant,
    relative_lift,
    relative_ci_low,
    relative_ci_high,
    level,
    adjusted_p,
    verdict,
    guardrail,
    status_reason
from experiment_results
where
    experiment_key = ${experiment:sqlstring}
    and computed_at = (
        select max(computed_at) from experiment_results where experiment_key = ${experiment:sqlstring}
    )
order by indexOf(['primary', 'guardrail', 'secondary'], role), metric_key, variant_key
