{% set open_at = live_open_at() -%}

with exposures as (

    select * from {{ ref('live_first_exposures') }}

),

conversions as (

    select
        experiment_id,
        variant_key,
        unit_type,
        user_id,
        assumeNotNull(first_converted_at) as converted_at
    from {{ ref('converted_units') }}
    where converted_at < {{ open_at }}

    union all

    select
        exposures.experiment_id as experiment_id,
        exposures.variant_key as variant_key,
        events.unit_type as unit_type,
        events.user_id as user_id,
        events.occurred_at as converted_at
    from (
        select * from {{ ref('stg_recent_events') }}
        where is_conversion and occurred_at >= {{ open_at }}
    ) as events
    inner join exposures
        on events.unit_type = exposures.unit_type and events.user_id = exposures.user_id
    where
        events.experiment_id in (0, exposures.experiment_id)
        and events.occurred_at >= exposures.first_exposed_at

)

select
    experiment_id,
    variant_key,
    unit_type,
    user_id,
    toNullable(min(conversions.converted_at)) as first_converted_at
from conversions
group by experiment_id, variant_key, unit_type, user_id
