{{ config(materialized='incremental', on_schema_change='append_new_columns', order_by='(axis, day, scanned_at)') }}

{% set built = load_relation(api.Relation.create(schema=target.schema, identifier='first_exposures')) if execute %}

{% if is_incremental() and built %}
{{ touched_since(this, built) }}
{% else %}
with exposures as (

    {{ first_exposures_rows(ref('assigned_units'), ref('stg_events'), ref('stg_experiments')) }}

),

days as (

    select distinct
        'event' as axis,
        toDate(timestamp, 'UTC') as day
    from {{ source('ingestion', 'events_processed') }}

    union distinct

    select distinct
        arrayJoin(['event', 'exposure']) as axis,
        exposure_date as day
    from exposures

)

select
    axis,
    day,
    now64(3, 'UTC') as scanned_at
from days
{% endif %}
