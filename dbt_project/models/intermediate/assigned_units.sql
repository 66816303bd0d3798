{{ config(order_by='(experiment_id, unit_type, user_id)') }}

{{ assigned_units_rows(ref('stg_assignments')) }}
