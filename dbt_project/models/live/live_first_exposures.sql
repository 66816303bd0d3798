{% set open_day = '(select open_from.open_day from ' ~ ref('open_from') ~ ' as open_from)' -%}
{% set assignments -%}
    (
        {{ assigned_units_rows(ref('stg_assignments')) }}
    )
{%- endset -%}
{% set exposures -%}
    (
        select *
        from {{ ref('stg_recent_events') }}
        where event_type = 'exposure' and event_date >= {{ open_day }}
    )
{%- endset -%}

with closed as (

    select * from {{ ref('first_exposures') }}
    where exposure_date < {{ open_day }}

),

open as (

    {{ first_exposures_rows(
        assignments, exposures, ref('stg_experiments'), condition='exposure_date >= ' ~ open_day
    ) }}

)

select
    experiment_id,
    unit_type,
    user_id,
    variant_key,
    version,
    attributes,
    first_exposed_at,
    exposure_date
from closed

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
from open
left anti join closed
    on
        open.experiment_id = closed.experiment_id
        and open.unit_type = closed.unit_type
        and open.user_id = closed.user_id
