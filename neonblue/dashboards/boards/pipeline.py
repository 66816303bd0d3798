"""The way of an event, from left to right: accepted, in the outbox, through Connect and Kafka, in ClickHouse, built."""

from __future__ import annotations

from grafana_foundation_sdk.models import units

from neonblue.dashboards.model import (
    ONE_COLOUR,
    Board,
    ClickHouse,
    Colour,
    Column,
    Kind,
    Panel,
    Prometheus,
    Row,
    Step,
    Word,
)
from neonblue.dashboards.promql import quantile, rate

_WHERE = Row(
    "Where does it stand still?",
    (
        Panel(
            "1. PostgreSQL → Connect",
            "For how long nothing was published that was there to be. Idle it stays below 15 s. Above the "
            "limit the connector or Kafka does not take what PostgreSQL has; nothing is lost, the slot keeps "
            "it.",
            (Prometheus("max(neonblue_pipeline_age_seconds)"),),
            Kind.NUMBER,
            units.Seconds,
            width=5,
            height=5,
            alerts=("StreamBehind",),
        ),
        Panel(
            "2. Connector",
            "Whether the connector and its tasks run. The supervisor registers it again by itself within "
            "seconds; where it stays away, read `neonblue logs connect`.",
            (Prometheus("min(neonblue_connector_running)"),),
            Kind.NUMBER,
            units.NoUnit,
            width=4,
            height=5,
            alerts=("ConnectorNotRunning",),
            words={0: Word("does not run", Colour.BAD), 1: Word("runs", Colour.GOOD)},
        ),
        Panel(
            "3. Kafka → ClickHouse",
            "Messages that lie in the topic and that ClickHouse has not read. A message may hold many events.",
            (Prometheus("neonblue:consumer_lag:messages"),),
            Kind.NUMBER,
            units.Short,
            width=5,
            height=5,
            alerts=("ConsumerBehind",),
        ),
        Panel(
            "The whole way",
            "How long ago the newest heartbeat was committed in PostgreSQL that ClickHouse has. One takes the "
            "way of every event each ten seconds, so half a minute is well. A partition of the events may be stuck all "
            "the same: that is told by 3.",
            (Prometheus("neonblue:canary_age:seconds"),),
            Kind.NUMBER,
            units.Seconds,
            width=5,
            height=5,
            alerts=("CanaryLate", "CanaryUnknown", "CanaryMissing"),
        ),
        Panel(
            "Dead letters",
            "Messages that ClickHouse could not read, of the last 180 days. They are in no result; the table "
            "below says why.",
            (Prometheus("neonblue_dead_letters"),),
            Kind.NUMBER,
            units.Short,
            width=5,
            height=5,
            alerts=("DeadLetters",),
            steps=(Step(None, Colour.GOOD), Step(1, Colour.CAREFUL)),
        ),
    ),
)

_ACCEPTED = Row(
    "Accepted: API and PostgreSQL",
    (
        Panel(
            "Accepted events",
            "Events a second that PostgreSQL has committed.",
            (
                Prometheus(
                    'sum(rate(neonblue_events_total{status="accepted"}[$__rate_interval]))', "accepted"
                ),
            ),
            unit=units.EventsPerSecond,
            width=6,
        ),
        Panel(
            "Commits",
            "How long the slowest hundredth of the transactions takes that store events and assignments. "
            "Where it grows, the disk or PostgreSQL is slow, and the queue beside grows too.",
            (
                Prometheus(
                    quantile(0.99, "neonblue_commit_seconds", "queue"),
                    "p99 {{queue}}",
                ),
            ),
            unit=units.Seconds,
            width=6,
        ),
        Panel(
            "Waiting to be stored",
            "Bytes of requests that wait for PostgreSQL. They are not acknowledged yet: what is lost here is "
            "sent again by its client.",
            (Prometheus("sum by (queue) (neonblue_queue_bytes)", "{{queue}}"),),
            unit=units.BytesIEC,
            width=6,
            alerts=("QueueGrows",),
        ),
        Panel(
            "Waiting for a standby",
            "Commits that PostgreSQL holds until its standby has them too; only with ha.yaml there is one. Some are "
            "under way under load; where they stay, the standby is missing and nothing is answered.",
            (Prometheus("max(neonblue_commits_waiting)", "waiting"),),
            unit=units.NoUnit,
            width=6,
            alerts=("StandbyMissing",),
        ),
    ),
)

_STREAMED = Row(
    "Carried: outbox, Connect, Kafka",
    (
        Panel(
            "Log that waits",
            "Bytes of PostgreSQL's log that the connector has not taken. PostgreSQL keeps them on its disk; "
            "past NEONBLUE_API_MAX_PIPELINE_LAG_BYTES events are refused.",
            (
                Prometheus("max(neonblue_pipeline_lag_bytes)", "waits"),
                Prometheus("max(neonblue_pipeline_limit_bytes)", "limit"),
            ),
            unit=units.BytesIEC,
            alerts=("SlotGrows", "SlotMissing"),
        ),
        Panel(
            "Connector's tasks",
            "Tasks by state. All should be RUNNING; FAILED is started again by the supervisor.",
            (Prometheus("sum by (state) (neonblue_connector_tasks)", "{{state}}"),),
            unit=units.NoUnit,
            alerts=("ConnectorNotRunning",),
            steps=ONE_COLOUR,
            stacked=True,
        ),
        Panel(
            "Messages",
            "Messages a second that come into the topic, by partition. A partition that gets none while "
            "others do means that units are not spread.",
            (
                Prometheus(
                    rate("neonblue_topic_end_offset", "partition"),
                    "partition {{partition}}",
                ),
            ),
            unit=units.MessagesPerSecond,
        ),
    ),
)

_ARRIVED = Row(
    "Arrived: ClickHouse",
    (
        Panel(
            "Messages not read",
            "How far ClickHouse is behind in each partition. A saw is well; a ramp is not.",
            (Prometheus("sum by (partition) (neonblue_consumer_lag_messages)", "partition {{partition}}"),),
            alerts=("ConsumerBehind",),
        ),
        Panel(
            "From commit to ClickHouse",
            "How long the newest heartbeat was on its way, and how old it is now. The first should stay "
            "below a second.",
            (
                Prometheus("neonblue_canary_seconds", "on its way"),
                Prometheus("neonblue:canary_age:seconds", "age"),
            ),
            unit=units.Seconds,
            alerts=("CanaryLate", "CanaryUnknown", "CanaryMissing"),
        ),
        Panel(
            "Newest dead letters",
            "What could not be read, and why: the field and the rule it breaks. Mend the sender, then "
            "`neonblue reconcile --repair` where the event was ours.",
            (ClickHouse("dead_letters"),),
            Kind.TABLE,
            alerts=("DeadLetters",),
            columns=(
                Column("ingested_at", units.DatetimeISO, "At (UTC)"),
                Column("error", shown="Why"),
                Column("_partition", shown="Partition"),
                Column("_offset", shown="Offset"),
            ),
            empty="None",
        ),
    ),
)

_BUILT = Row(
    "Built: Dagster",
    (
        Panel(
            "Runs",
            "Runs that wait, run and have failed. Where many wait, a run hangs: look at Dagster's page.",
            (
                Prometheus(
                    'sum by (status) (neonblue_dagster_runs{status=~"queued|starting|started|failure"})',
                    "{{status}}",
                ),
            ),
            unit=units.NoUnit,
            alerts=("RunsFail", "RunsWait"),
            steps=ONE_COLOUR,
        ),
        Panel(
            "Failed checks",
            "Checks of the data that fail on what was built last. 'error' blocks what stands on it; 'warn' "
            "only tells.",
            (Prometheus("sum by (severity) (neonblue_dagster_failed_checks)", "{{severity}}"),),
            unit=units.NoUnit,
            alerts=("ChecksFail",),
        ),
        Panel(
            "Schedules",
            "When each schedule last ended well, and how often it comes. Later than twice its period is late.",
            (
                Prometheus(
                    "1000 * max by (schedule) (neonblue_dagster_schedule_last_success_timestamp_seconds)"
                ),
                Prometheus("max by (schedule) (neonblue_dagster_schedule_period_seconds)"),
            ),
            Kind.TABLE,
            alerts=("ScheduleLate",),
            columns=(
                Column("schedule", shown="Schedule"),
                Column(
                    "Value #A",
                    units.DateTimeFromNow,
                    "Last success",
                    {0: Word("not yet", Colour.CAREFUL)},
                ),
                Column("Value #B", units.Seconds, "Every"),
            ),
        ),
    ),
)

PIPELINE = Board(
    "neonblue-pipeline",
    "NeonBlue: pipeline",
    "The way of an event: accepted, carried, arrived, built. Look here when results stand still.",
    "1h",
    (_WHERE, _ACCEPTED, _STREAMED, _ARRIVED, _BUILT),
)
