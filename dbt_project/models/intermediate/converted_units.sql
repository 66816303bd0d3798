{{ config(materialized='view') }}

select
    experiment_id,
    variant_key,
    unit_type,
    user_id,
    exposure_date,
    first_converted_at
from {{ ref('user_journeys') }}
where first_converted_at is not null
