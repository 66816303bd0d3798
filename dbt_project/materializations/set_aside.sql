{% macro not_set_aside() %}
    {#- The condition on events that no rule sets them aside. Where none is, their ids need not be read for it. -#}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        {%- set table = load_relation(ref('set_aside')) -%}
        {%- if table is none or first_column('select count() from ' ~ table) | first == 0 -%}
            {{ return('1') }}
        {%- endif -%}
    {%- endif -%}
    (events.event_id, events.unit_type, events.user_id, events.timestamp) not in (
        select
            aside.event_id,
            aside.unit_type,
            aside.user_id,
            aside.timestamp
        from {{ ref('set_aside') }} as aside
    )
{% endmacro %}


{% macro on_days_of_new_rows() %}
    {#- The condition on event_date that rows came for the day since the build before began to read. -#}
    {%- set since = scanned_before() if is_incremental() else none -%}
    {%- if not since -%}
        {{ return('1') }}
    {%- endif -%}
    event_date in (
        select distinct toDate(arrived.timestamp, 'UTC')
        from {{ source('ingestion', 'events_processed') }} as arrived
        where
            arrived.ingested_at
            >= toDateTime64('{{ since }}', 3, 'UTC') - toIntervalSecond({{ var('ingestion_grace_seconds') }})
    )
{% endmacro %}


{% macro not_known_aside() %}
    {#- The condition on a row that it was not set aside before. -#}
    {%- if not is_incremental() -%}
        {{ return('1') }}
    {%- endif -%}
    (event_id, unit_type, user_id, timestamp) not in (
        select
            known.event_id,
            known.unit_type,
            known.user_id,
            known.timestamp
        from {{ this }} as known
    )
{% endmacro %}


{% macro scanned_before() %}
    {#- When the build before began to read, as a text; none before the first. This build scans later. -#}
    {%- set scans = as_built('touched_days') -%}
    {%- if scans is none -%}
        {{ return(none) }}
    {%- endif -%}
    {{ return(first_column('select toString(max(scanned_at)) from ' ~ scans ~ ' having count() > 0') | first or none) }}
{% endmacro %}
