{#-
    When an experiment of this product did not run, from its first stop on: while it is paused and after its conclusion its
    key gives everybody the control, or what was decided, so that no unit meets its variant. Nothing is known of the running
    times of what is imported. Before the start nothing is cut: a client's clock may be a little behind.
-#}

{% macro interruptions_rows(snapshots) %}
{#- One row per experiment and time in which it was stopped. snapshots: rows of the ingested experiments. -#}
with versions as (

    select
        snapshots.experiment_id as experiment_id,
        snapshots.version as version,
        argMin(snapshots.status, snapshots.received_at) in ('paused', 'concluded', 'archived') as is_stopped,
        min(
            if(
                snapshots.status in ('concluded', 'archived'),
                ifNull(snapshots.concluded_at, snapshots.received_at),
                snapshots.received_at
            )
        ) as said_at
    from {{ snapshots }} as snapshots
    where snapshots.source = 'internal'
    group by snapshots.experiment_id, snapshots.version

),

-- Each version has the time of the process that took it: a later one is no earlier.
timed as (

    select
        experiment_id,
        version,
        is_stopped,
        max(versions.said_at) over (partition by experiment_id order by version asc) as since,
        lagInFrame(is_stopped, 1, 0) over (
            partition by experiment_id
            order by version asc
            rows between unbounded preceding and current row
        ) as was_stopped
    from versions

),

steps as (

    select
        experiment_id,
        is_stopped,
        since as stopped_at,
        leadInFrame(toNullable(since)) over (
            partition by experiment_id
            order by version asc
            rows between unbounded preceding and unbounded following
        ) as resumed_at
    from timed
    where is_stopped != was_stopped

)

select
    experiment_id,
    stopped_at,
    resumed_at
from steps
where is_stopped and ifNull(resumed_at > stopped_at, true)
{% endmacro %}


{% macro counted_exposures(events, interruptions) %}
    {#-
        The exposures among these events: those that their experiment was not interrupted at. One that is ahead of its
        receipt was met by then. interruptions: rows of interruptions.
    -#}
    (
        select met.*
        from (
            select
                *,
                least(occurred_at, received_at) as met_at
            from {{ events }}
            where {{ is_exposure() }}
        ) as met
        asof left join {{ interruptions }} as interruptions
            on met.experiment_id = interruptions.experiment_id and met.met_at >= interruptions.stopped_at
        where interruptions.experiment_id = 0 or met.met_at >= interruptions.resumed_at
    )
{%- endmacro %}
