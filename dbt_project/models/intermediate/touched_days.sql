{{ config(
    materialized='incremental',
    on_schema_change='append_new_columns',
    order_by='(axis, day, scanned_at)'
) }}

{{ touched_days_rows() }}
