{{ config(
    materialized='incremental',
    on_schema_change='append_new_columns',
    order_by='(axis, day, scanned_at)',
    pre_hook="{{ add_column(this, 'interruptions', 'UInt64') }}"
) }}

-- What a later build reads beside what the first one does.
-- depends_on: {{ ref('stg_user_links') }}
-- depends_on: {{ source('ingestion', 'user_links') }}
-- depends_on: {{ source('ingestion', 'erased_users') }}
-- depends_on: {{ source('ingestion', 'erased_days') }}
-- depends_on: {{ source('ingestion', 'assignments') }}
-- depends_on: {{ source('ingestion', 'experiments') }}
{% set built = as_built('first_exposures') -%}

with
{% if not (is_incremental() and built) %}
{#- The first build: every day. -#}
exposures as (

    {{ first_exposures_rows(
        ref('assigned_units'), ref('stg_events'), ref('stg_experiments'), ref('stg_interruptions')
    ) }}

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

{% else %}
{#-
    What changed since the last scan: rows that arrived (copies too: a copy costs a rebuild, never a number), units that
    are analysed in another way than when they were built, ids that were linked or no longer are, days from which an
    erased person's rows were removed, experiments whose definition changed, or of which it is heard only now when they
    were stopped, days that were closed. What a version built that did not ask when they were is compared by all of
    it.
-#}
{%- set since = '(select max(scans.scanned_at) - toIntervalSecond(' ~ var('ingestion_grace_seconds') ~ ') from '
    ~ this ~ ' as scans)' -%}
{%- set known = '(select * from ' ~ source('ingestion', 'experiments') ~ ' where ingested_at < ' ~ since ~ ')' -%}
{%- set before = last_open_at() or '1970-01-01 00:00:00' -%}
links as (

    {{ links_by_id() }}

),

new_events as (

    select
        events.experiment_id as experiment_id,
        events.unit_type as unit_type,
        {{ unit_of('events') }} as user_id,
        events.event_type as event_type,
        events.day as day,
        events.is_new as is_new
    from (
        select
            experiment_id,
            unit_type,
            user_id,
            event_type,
            toDate(timestamp, 'UTC') as day,
            ingested_at >= {{ since }} as is_new
        from {{ source('ingestion', 'events_processed') }}
        where is_new or (timestamp >= toDateTime('{{ before }}', 'UTC') and timestamp < {{ open_at() }})
    ) as events
    {{ join_links('events') }}

),

new_erasures as (

    select person_key
    from {{ source('ingestion', 'erased_users') }}
    where ingested_at >= {{ since }}

),

erased_days as (

    select
        axis,
        day
    from {{ source('ingestion', 'erased_days') }}
    where removed_at >= {{ since }}

),

-- Every id, as it was sent, of a person of whom a link came, or went with an erasure.
relinked as (

    select distinct
        unit_type,
        arrayJoin([user_id, anonymous_id]) as sent_as
    from {{ source('ingestion', 'user_links') }}
    where
        (unit_type, user_id) in (
            select
                unit_type,
                user_id
            from {{ source('ingestion', 'user_links') }}
            where
                ingested_at >= {{ since }}
                or cityHash64(unit_type, user_id) in (select new_erasures.person_key from new_erasures)
                or cityHash64(unit_type, anonymous_id) in (select new_erasures.person_key from new_erasures)
        )

),

snapshots as (

    select
        experiment_id,
        argMax(taken.metrics, taken.place) as metrics,
        argMaxIf(taken.metrics, taken.place, not taken.is_new) as old_metrics,
        argMax(taken.population, taken.place) as population,
        argMaxIf(taken.population, taken.place, not taken.is_new) as old_population
    from (
        select
            experiment_id,
            -- What a breach does is no part of what is measured.
            replaceRegexpAll(JSONExtractRaw(snapshot, 'metrics'), ',"on_breach":(null|"[a-z_]+")', '') as metrics,
            population,
            (version, received_at) as place,
            ingested_at >= {{ since }} as is_new
        from {{ source('ingestion', 'experiments') }}
    ) as taken
    group by experiment_id

),

built as (

    select * from {{ built }}

),

-- From when on an exposure of the experiment counts, or does not, as it did before.
interrupted as (

    select
        experiment_id,
        min(differing.stopped_at) as changed_from
    from (
        select
            experiment_id,
            stopped_at,
            resumed_at
        from (
            select * from {{ ref('stg_interruptions') }}
            {%- if has_written(this, 'interruptions') %}
            union all
            select * from (
                {{ interruptions_rows(known) }}
            )
            {%- endif %}
        ) as now_and_before
        group by all
        having count() = 1
    ) as differing
    group by experiment_id

),

-- Whose first exposure may be another than before.
new_units as (

    select
        unit_type,
        user_id
    from new_events
    where is_new and {{ is_exposure() }}

    union distinct

    select
        assignments.unit_type as unit_type,
        {{ unit_of('assignments') }} as user_id
    from (
        select
            unit_type,
            user_id
        from {{ source('ingestion', 'assignments') }}
        where
            ingested_at >= {{ since }}
            or experiment_id in (
                select snapshots.experiment_id from snapshots
                where population != old_population
            )
    ) as assignments
    {{ join_links('assignments') }}

    union distinct

    select
        events.unit_type as unit_type,
        {{ unit_of('events') }} as user_id
    from (
        select
            met.unit_type as unit_type,
            met.user_id as user_id
        from {{ source('ingestion', 'events_processed') }} as met
        inner join interrupted on met.experiment_id = interrupted.experiment_id
        where
            met.event_type = 'exposure'
            and met.timestamp >= interrupted.changed_from
            and met.timestamp >= ifNull(
                (select minOrNull(changes.changed_from) from interrupted as changes),
                toDateTime64('2200-01-01 00:00:00', 6, 'UTC')
            )
    ) as events
    {{ join_links('events') }}

    union distinct

    select
        unit_type,
        sent_as as user_id
    from relinked

    union distinct

    select
        unit_type,
        user_id
    from built
    where
        cityHash64(unit_type, user_id) in (select new_erasures.person_key from new_erasures)
        or exposure_date in (
            select erased_days.day from erased_days
            where axis = 'exposure'
        )

),

current_exposures as (

    {{ first_exposures_rows(
        "(select * from " ~ ref('assigned_units') ~ " where (unit_type, user_id) in (select * from new_units))",
        events_of('new_units', condition="event_type = 'exposure'"),
        ref('stg_experiments'),
        ref('stg_interruptions')
    ) }}

),

-- What is in one of the two and not in the other.
changed as (

    select
        experiment_id,
        unit_type,
        user_id,
        variant_key,
        version,
        attributes,
        first_exposed_at,
        exposure_date
    from (
        select * from current_exposures
        union all
        select * from built
        where (unit_type, user_id) in (select * from new_units)
    ) as now_and_before
    group by all
    having count() = 1

),

moved as (

    select
        unit_type,
        user_id,
        min(changed.first_exposed_at) as first_exposed_at
    from changed
    group by unit_type, user_id

),

moved_ids as (

    {{ sent_ids('moved', also=['first_exposed_at']) }}

),

days as (

    select
        'event' as axis,
        day
    from new_events
    where is_new

    union distinct

    select
        'event' as axis,
        toDate(events.timestamp, 'UTC') as day
    from {{ source('ingestion', 'events_processed') }} as events
    inner join moved_ids
        on events.unit_type = moved_ids.unit_type and events.user_id = moved_ids.sent_as
    where
        events.timestamp >= moved_ids.first_exposed_at
        or ({{ by_a_wrong_clock() }} and events.received_at >= moved_ids.first_exposed_at)

    union distinct

    select
        'event' as axis,
        toDate(timestamp, 'UTC') as day
    from {{ source('ingestion', 'events_processed') }}
    where (unit_type, user_id) in (select * from relinked)

    union distinct

    select
        axis,
        day
    from erased_days

    union distinct

    select
        arrayJoin(['event', 'exposure']) as axis,
        exposure_date as day
    from changed

    union distinct

    select
        'exposure' as axis,
        exposure_date as day
    from built
    where
        (unit_type, user_id) in (
            select
                new_events.unit_type,
                new_events.user_id
            from new_events
        )
        or (unit_type, user_id) in (select * from relinked)
        or experiment_id in (
            select snapshots.experiment_id from snapshots
            where metrics != old_metrics
        )

)

{% endif %}
select
    axis,
    day,
    now64(3, 'UTC') as scanned_at,
    assumeNotNull((select 1 + count() from {{ ref('stg_interruptions') }})) as interruptions
from days
