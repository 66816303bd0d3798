{{ config(
    materialized='incremental',
    on_schema_change='append_new_columns',
    order_by='(closed_at)'
) }}

-- Last of all that the live views read, so that they never count from a day that is not built yet.
-- depends_on: {{ ref('first_exposures') }}
-- depends_on: {{ ref('unit_metric_values') }}
-- depends_on: {{ ref('assigned_units') }}
-- depends_on: {{ ref('exposed_units') }}
-- depends_on: {{ ref('daily_metrics') }}
-- depends_on: {{ ref('user_journeys') }}
-- depends_on: {{ ref('metric_moments') }}
-- depends_on: {{ ref('segment_metrics') }}
select
    {{ open_at() }} as open_at,
    now64(3, 'UTC') as closed_at
