{{ config(order_by='(experiment_id)') }}

{{ exposure_health_rows(
    ref('stg_experiments'),
    ref('assigned_units'),
    ref('exposed_units'),
    ref('first_exposures'),
    stamped=true
) }}
