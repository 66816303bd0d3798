{{ config(
    materialized='incremental',
    on_schema_change='append_new_columns',
    order_by='(axis, day, scanned_at)'
) }}

-- What a later build reads beside what the first one does.
-- depends_on: {{ ref('stg_user_links') }}
-- depends_on: {{ source('ingestion', 'user_links') }}
-- depends_on: {{ source('ingestion', 'erased_users') }}
-- depends_on: {{ source('ingestion', 'erased_days') }}
-- depends_on: {{ source('ingestion', 'assignments') }}
-- depends_on: {{ source('ingestion', 'experiments') }}
{{ touched_days_rows() }}
