{% macro unit_activity_rows(events, exposures, steps, open_at, sessions=false) %}
{#-
    One row per experiment and unit with an event that counts. The closed parts happened before open_at.
    exposures: with counted_from, before which nothing is counted, and step_before, the step that was reached by then.
    steps: rows of funnel_steps. sessions: whether the events name their session.
-#}
with exposures as (

    select
        experiment_id,
        unit_type,
        user_id,
        first_exposed_at,
        counted_from,
        step_before
    from {{ exposures }}

),

steps as (

    select
        experiment_id,
        event_type,
        step
    from {{ steps }}

),

attributed as (

    select
        exposures.experiment_id as experiment_id,
        exposures.unit_type as unit_type,
        exposures.user_id as user_id,
        exposures.step_before as step_before,
        events.event_id as event_id,
        events.event_type as event_type,
        {%- if sessions %}
        events.session_id as session_id,
        {%- endif %}
        events.app_version as app_version,
        events.occurred_at as occurred_at,
        events.is_conversion as is_conversion,
        events.value as value,
        events.event_type != 'exposure' as is_outcome,
        events.occurred_at < {{ open_at }} as is_closed,
        dateDiff('microsecond', exposures.first_exposed_at, events.occurred_at) as waited
    from {{ events }} as events
    inner join exposures
        on events.unit_type = exposures.unit_type and events.user_id = exposures.user_id
    where
        events.experiment_id in (0, exposures.experiment_id)
        and events.occurred_at >= exposures.first_exposed_at
        and events.occurred_at >= exposures.counted_from

),

counted as (

    select
        attributed.*,
        steps.step as step,
        attributed.is_outcome and steps.step > 0 and attributed.waited < 1000000 * toInt64({{ var('funnel_seconds') }})
            as is_step
    from attributed
    left any join steps
        on attributed.experiment_id = steps.experiment_id and attributed.event_type = steps.event_type

),

units as (

    select
        experiment_id,
        unit_type,
        user_id,
        countIf(is_outcome) as events,
        countIf(not is_outcome) as exposures,
        countIf(is_conversion) as conversions,
        sum(counted.value) as value,
        {%- if sessions %}
        uniqExactIf(session_id, session_id != '') as sessions,
        {%- endif %}
        {{ first_version("counted.app_version != ''") }} as app_version,
        minIf(occurred_at, is_conversion) as first_converted_at,
        max(occurred_at) as last_event_at,
        arrayMap(
            step -> step.3,
            arraySlice(
                arraySort(groupArrayIf((occurred_at, toString(event_id), toString(event_type)), is_outcome)),
                1,
                {{ var('path_events') }}
            )
        ) as path,
        any(counted.step_before) as step_before,
        arraySort(groupArrayIf((occurred_at, counted.step), is_step)) as steps,
        arraySort(groupArrayIf((occurred_at, counted.step), is_step and is_closed)) as closed_steps,
        arraySort(
            groupUniqArrayIf(
                toUInt16(intDiv(waited, 86400000000)),
                is_outcome and waited < 86400000000 * {{ var('retention_days') }}
            )
        ) as active_days,
        countIf(is_outcome and is_closed) as closed_events,
        countIf(not is_outcome and is_closed) as closed_exposures,
        countIf(is_conversion and is_closed) as closed_conversions,
        sumIf(counted.value, is_closed) as closed_value,
        {{ first_version("counted.app_version != '' and is_closed") }} as closed_app_version
    from counted
    group by experiment_id, unit_type, user_id

)

select
    *,
    {{ last_step('units.steps', 'units.step_before') }} as last_step,
    {{ last_step('units.closed_steps', 'units.step_before') }} as closed_step
from units
{% endmacro %}


{% macro first_version(condition) %}
    argMinIf(counted.app_version, (occurred_at, toString(event_id)), {{ condition }})
{%- endmacro %}


{% macro last_step(steps, step_before) %}
    {#- From one step to the next, in the order of time: what comes too early is passed over. -#}
    arrayFold(
        (last_step, event) -> if(event.2 = last_step + 1, event.2, last_step),
        {{ steps }},
        {{ step_before }}
    )
{%- endmacro %}


{% macro open_journeys_rows(open_at) %}
{#-
    Rows of user_journeys of the units that were first exposed or did something in an open hour: what closed hours left
    of each, and what it did since. That comes after all that is closed, so paths and steps go on from where they were.
-#}
with events as (

    select * from {{ open_events(open_at) }}

),

units as (

    select
        experiment_id,
        variant_key,
        unit_type,
        user_id,
        version,
        exposure_date,
        first_exposed_at,
        closed_events,
        closed_exposures,
        closed_conversions,
        closed_value,
        closed_app_version,
        closed_step as step_before,
        first_converted_at,
        last_event_at,
        path,
        active_days,
        open_at as counted_from
    from {{ ref('user_journeys') }}
    where first_exposed_at < {{ open_at }} and user_id in (select events.user_id from events)

    union all

    select
        experiment_id,
        variant_key,
        unit_type,
        user_id,
        version,
        exposure_date,
        first_exposed_at,
        toUInt64(0) as closed_events,
        toUInt64(0) as closed_exposures,
        toUInt64(0) as closed_conversions,
        toDecimal128(0, 6) as closed_value,
        '' as closed_app_version,
        toUInt8(1) as step_before,
        null as first_converted_at,
        null as last_event_at,
        emptyArrayString() as path,
        emptyArrayUInt16() as active_days,
        toDateTime(0, 'UTC') as counted_from
    from {{ ref('fresh_exposures') }}
    where first_exposed_at >= {{ open_at }}

),

activity as (

    {{ unit_activity_rows('events', 'units', ref('funnel_steps'), open_at) }}

)

select
    units.experiment_id as experiment_id,
    units.variant_key as variant_key,
    units.unit_type as unit_type,
    units.user_id as user_id,
    units.version as version,
    units.exposure_date as exposure_date,
    units.first_exposed_at as first_exposed_at,
    units.closed_events + activity.events as events,
    units.closed_exposures + activity.exposures as exposures,
    units.closed_conversions + activity.conversions as conversions,
    units.closed_value + activity.value as value,
    if(units.closed_app_version != '', units.closed_app_version, activity.app_version) as app_version,
    if(
        activity.conversions = 0,
        units.first_converted_at,
        least(coalesce(units.first_converted_at, activity.first_converted_at), activity.first_converted_at)
    ) as first_converted_at,
    if(
        activity.user_id = '',
        units.last_event_at,
        greatest(coalesce(units.last_event_at, activity.last_event_at), activity.last_event_at)
    ) as last_event_at,
    arraySlice(
        arrayConcat(arraySlice(units.path, 1, units.closed_events), activity.path), 1, {{ var('path_events') }}
    ) as path,
    greatest(units.step_before, activity.last_step) as last_step,
    arraySort(arrayDistinct(arrayConcat(units.active_days, activity.active_days))) as active_days
from units
left any join activity
    on
        units.experiment_id = activity.experiment_id
        and units.unit_type = activity.unit_type
        and units.user_id = activity.user_id
where activity.user_id != '' or units.first_exposed_at >= {{ open_at }}
{% endmacro %}
