-- Rows: a stage with more units than the stage before it.
select
    experiment_id,
    version,
    variant_key
from {{ ref('exposure_stages') }}
where exposed_units > assigned_units or active_units > analysed_units
