{% set open_at = live_open_at() -%}
-- The same in every row of the table: one is read.
{% set one_unit = '(select open_at from ' ~ ref('exposed_units') ~ ' limit 1)' -%}
{% set counted_from = '(select max(closed.open_at) from ' ~ one_unit ~ ' as closed)' -%}
{% set open_exposures = '(select * from ' ~ open_events(open_at) ~ ' where occurred_at >= ' ~ counted_from ~ ')' -%}

with parts as (

    select
        experiment_id,
        unit_type,
        user_id,
        first_exposed_at,
        closed_exposures as exposures
    from {{ ref('exposed_units') }}
    where closed_exposures > 0

    union all

    select * from (
        {{ exposed_units_rows(open_exposures, ref('stg_interruptions')) }}
    )

)

select
    experiment_id,
    unit_type,
    user_id,
    min(parts.first_exposed_at) as first_exposed_at,
    sum(parts.exposures) as exposures
from parts
group by experiment_id, unit_type, user_id
