select
    assigned_units,
    exposed_units,
    analysed_units,
    exposed_without_assignment,
    units_in_several_variants
from live_exposure_health
where experiment_key = ${experiment:sqlstring}
