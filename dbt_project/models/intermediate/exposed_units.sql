{{ config(order_by='(experiment_id, unit_type, user_id)') }}

{{ exposed_units_rows(ref('stg_events'), open_at()) }}
