-- Rows: a step that more units reached than the step before it.
select
    experiment_id,
    variant_key,
    exposure_date
from {{ ref('funnels') }} as steps
group by experiment_id, variant_key, exposure_date
having
    arrayMap(step -> step.2, arraySort(groupArray((steps.step, steps.units))))
    != arrayReverseSort(groupArray(steps.units))
    or max(steps.units) != any(steps.entered_units)
