-- Rows: an experiment that analyses more units than were assigned to one variant.
select
    experiment_id,
    analysed_units
from {{ ref('exposure_health') }}
where analysed_units + units_in_several_variants > assigned_units
