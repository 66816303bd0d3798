select
    variant_key,
    weight,
    units as analysed_units,
    events as all_events,
    conversions as all_conversions,
    converted_units,
    conversion_rate,
    value as total_value,
    last_exposed_at
from live_experiment_summary
where experiment_key = ${experiment:sqlstring}
order by is_control desc, variant_key asc
