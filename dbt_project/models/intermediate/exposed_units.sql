{{ config(order_by='(experiment_id, unit_type, user_id)') }}

{{ exposed_units_rows(ref('stg_events'), ref('stg_interruptions'), open_at()) }}
