{% set open_at = '(select open_from.open_at from ' ~ ref('open_from') ~ ' as open_from)' -%}

select
    experiment_id,
    unit_type,
    user_id,
    variant_key,
    version,
    attributes,
    first_exposed_at,
    exposure_date
from {{ ref('first_exposures') }}
where first_exposed_at < {{ open_at }}

union all

select
    experiment_id,
    unit_type,
    user_id,
    variant_key,
    version,
    attributes,
    first_exposed_at,
    exposure_date
from {{ ref('fresh_exposures') }}
where first_exposed_at >= {{ open_at }}
