"""Is everything well, and what do users see?"""

from __future__ import annotations

from grafana_foundation_sdk.models import units

from neonblue.dashboards.model import (
    NONE_IS_GOOD,
    ONE_COLOUR,
    ONE_IS_GOOD,
    Board,
    Colour,
    Column,
    Kind,
    Panel,
    Prometheus,
    Row,
    Step,
    Word,
)
from neonblue.dashboards.promql import rate

_MAIN = '{route=~"/v1/(assignments|events|events/batch)"}'

_WELL = Row(
    "Is everything well?",
    (
        Panel(
            "Alerts",
            "Alerts that fire now. They are named in the table below, each with the page that says what to do.",
            (Prometheus('count(ALERTS{alertstate="firing"}) or vector(0)'),),
            Kind.NUMBER,
            units.NoUnit,
            width=3,
            height=5,
            steps=NONE_IS_GOOD,
        ),
        Panel(
            "Parts that do not answer",
            "Services that are not ready, and targets that Prometheus can't ask. Beneath, 'Parts' says which "
            "and since when; `neonblue status` says why.",
            (Prometheus("sum(1 - up) + (sum(1 - neonblue_service_ready) or vector(0))"),),
            Kind.NUMBER,
            units.NoUnit,
            width=4,
            height=5,
            alerts=("ServiceNotReady", "TargetDown"),
            steps=NONE_IS_GOOD,
        ),
        Panel(
            "Results are as old as",
            "How long ago the newest heartbeat was accepted that ClickHouse has; one takes the way of every "
            "event each ten seconds, so half a minute is well. Where it grows, events are accepted and kept, but "
            "results stand still: look at the dashboard 'pipeline'.",
            (Prometheus("neonblue:canary_age:seconds"),),
            Kind.NUMBER,
            units.Seconds,
            width=4,
            height=5,
            alerts=("CanaryLate",),
        ),
        Panel(
            "Failed requests",
            "Share of the requests of the last five minutes that were answered 5xx: the platform's fault, "
            "not the client's. Clients send them again; the dashboard 'API' says which calls, and with which "
            "code.",
            (Prometheus("neonblue:request_errors:ratio5m >= 0"),),
            Kind.NUMBER,
            units.PercentUnit,
            width=4,
            height=5,
            decimals=2,
            alerts=("ApiErrors",),
            empty="no requests",
        ),
        Panel(
            "One in a hundred waits",
            "The slowest hundredth of assignments and events takes at least so long. Above the limit users "
            "wait for pages that wait for a variant.",
            (Prometheus(f"max(neonblue:request_seconds:p99_5m{_MAIN} >= 0)"),),
            Kind.NUMBER,
            units.Seconds,
            width=4,
            height=5,
            alerts=("ApiSlow",),
            empty="no requests",
        ),
        Panel(
            "Disk",
            "Room on the stack's disk. 'low': free some soon. 'full': events are refused until there is room.",
            (
                Prometheus(
                    "min((neonblue_disk_free_bytes >= bool neonblue_disk_warn_bytes) + "
                    "(neonblue_disk_free_bytes >= bool neonblue_disk_refuse_bytes))"
                ),
            ),
            Kind.NUMBER,
            units.NoUnit,
            width=5,
            height=5,
            alerts=("DiskFull", "DiskLow", "DiskFilesFull", "DiskFilesLow", "DiskFillsUp"),
            steps=(Step(None, Colour.BAD), Step(1, Colour.CAREFUL), Step(2, Colour.GOOD)),
            words={
                0: Word("full", Colour.BAD),
                1: Word("low", Colour.CAREFUL),
                2: Word("enough", Colour.GOOD),
            },
        ),
    ),
)

_USERS = Row(
    "What do users see?",
    (
        Panel(
            "Events",
            "Events a second by what became of them. 'rejected': the client sent what can't be an event; "
            "'duplicate': it sent again what it had sent, which is well. Where 'accepted' falls to nothing, "
            "ask whether clients still send.",
            (Prometheus("neonblue:events:rate5m", "{{status}}"),),
            unit=units.EventsPerSecond,
        ),
        Panel(
            "How long requests take",
            "The slowest hundredth (p99) and the middle (p50) of the calls that users wait for.",
            (
                Prometheus(f"neonblue:request_seconds:p99_5m{_MAIN}", "p99 {{route}}"),
                Prometheus(f"neonblue:request_seconds:p50_5m{_MAIN}", "p50 {{route}}"),
            ),
            unit=units.Seconds,
            alerts=("ApiSlow",),
        ),
        Panel(
            "Refused and failed",
            "Requests a second that were not answered as asked, by the problem's code. `rate_limited`: a "
            "token asks too much. `disk_full`, `pipeline_behind`, `unavailable`: the platform can't store; "
            "clients try again, and lose what they give up. All others are mistakes of the client.",
            (Prometheus(rate("neonblue_refusals_total", "code"), "{{code}}"),),
            unit=units.RequestsPerSecond,
            alerts=("EventsRefused", "RateLimited"),
            steps=ONE_COLOUR,
            empty="none",
        ),
    ),
)

_PARTS = Row(
    "What is wrong, and since when?",
    (
        Panel(
            "Parts",
            "Each service (ready or not) and each target of Prometheus (asked or not), over time. Read it "
            "from the left: what turned red first is most often the cause.",
            (
                Prometheus("max by (service) (neonblue_service_ready)", "{{service}}"),
                Prometheus("max by (job) (up)", "asked: {{job}}"),
            ),
            Kind.STATES,
            units.NoUnit,
            width=12,
            height=14,
            alerts=("ServiceNotReady", "TargetDown", "ServiceRestarts"),
            steps=ONE_IS_GOOD,
            words={0: Word("not ready", Colour.BAD), 1: Word("ready", Colour.GOOD)},
        ),
        Panel(
            "Alerts that fire",
            "What fires, how grave it is, and since when. `critical`: users notice now. `warning`: they "
            "will, or a figure is wrong. The page of each is under its name in docs/runbooks.",
            (
                Prometheus(
                    "max by (alertname, severity) (ALERTS_FOR_STATE and ignoring (alertstate) "
                    'ALERTS{alertstate="firing"}) * 1000'
                ),
            ),
            Kind.TABLE,
            width=12,
            height=7,
            columns=(
                Column("alertname", shown="Alert"),
                Column("severity", shown="Gravity"),
                Column("Value", units.DateTimeFromNow, "Began"),
            ),
            empty="No alert fires",
        ),
        Panel(
            "Room on the disk",
            "Free bytes, and the two marks: below 'low' it is told, below 'full' events are refused. "
            "docs/operations.md says what to delete, and what not.",
            (
                Prometheus("min(neonblue_disk_free_bytes)", "free"),
                Prometheus("max(neonblue_disk_warn_bytes)", "low below"),
                Prometheus("max(neonblue_disk_refuse_bytes)", "full below"),
            ),
            unit=units.BytesIEC,
            width=12,
            height=7,
            alerts=("DiskLow", "DiskFull", "DiskFillsUp"),
        ),
    ),
)

OVERVIEW = Board(
    "neonblue-overview",
    "NeonBlue: overview",
    "Whether everything is well, and what users see. Look here first.",
    "1h",
    (_WELL, _USERS, _PARTS),
)
