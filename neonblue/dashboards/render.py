"""Boards as Grafana's own dashboards. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from neonblue.dashboards.alerts import Alert
from neonblue.dashboards.clickhouse_query import PLUGIN, ClickHouseQuery, ClickHouseQueryBuilder, Format
from neonblue.dashboards.model import (
    Board,
    ClickHouse,
    Colour,
    Column,
    Kind,
    Panel,
    Prometheus,
    Query,
    Step,
    Variable,
    Word,
)

PROMETHEUS = dashboard.DataSourceRef(type_val="prometheus", uid="neonblue-prometheus")
CLICKHOUSE = dashboard.DataSourceRef(type_val=PLUGIN, uid="neonblue-clickhouse")
TAG = "neonblue"
WIDTH = 24
_SQL = Path(__file__).parent / "sql"

Drawn = stat.Panel | statetimeline.Panel | table.Panel | timeseries.Panel


def render(board: Board, alerts: Mapping[str, Alert], runbooks: str = "") -> dashboard.Dashboard:
    """The dashboard as Grafana loads it.

    alerts: by name, those of the rules. runbooks: the address of the folder ``docs/runbooks`` where people can read
    it; then panels link to their alerts' pages, else they only name them. Raises ``KeyError`` for an alert that no
    rule has.
    """
    made = (
        builders.Dashboard(board.title)
        .uid(board.uid)
        .description(board.says)
        .tags([TAG])
        .time(f"now-{board.span}", "now")
        .timezone("utc")
        .refresh(board.refresh)
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(
            builders.DashboardLink("NeonBlue")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .keep_time(True)
        )
    )
    for variable in board.variables:
        made = made.with_variable(_variable(variable))
    ids = count(1)
    filled = [0] * WIDTH
    for row in board.rows:
        filled = [max(filled)] * WIDTH
        heading = _placed(filled, WIDTH, 1)
        made = made.with_row(builders.Row(row.title).id(next(ids)).grid_pos(heading))
        for panel in row.panels:
            place = _placed(filled, panel.width, panel.height)
            made = made.with_panel(_panel(panel, alerts, runbooks).id(next(ids)).grid_pos(place))
    return made.build()


def sql(query: ClickHouse) -> str:
    """The query's text."""
    return (_SQL / f"{query.name}.sql").read_text(encoding="utf-8").strip()


def described(panel: Panel, alerts: Mapping[str, Alert]) -> str:
    """What the panel says, and the alerts that fire on it, each with its page."""
    pages = [f"- {name} ({alerts[name].severity}): `{alerts[name].runbook}`" for name in panel.alerts]
    return "\n\n".join([panel.says, *(["Alerts:\n" + "\n".join(pages)] if pages else [])])


def steps(panel: Panel, alerts: Mapping[str, Alert]) -> tuple[Step, ...]:
    """The colours of the panel's numbers: its own, or by the limit of its first alert."""
    if panel.steps:
        return panel.steps
    alert = alerts[panel.alerts[0]] if panel.alerts and panel.kind is not Kind.TABLE else None
    if alert is None or alert.limit is None:
        return (Step(None, Colour.NEUTRAL),)
    # Of what is counted, 0 and 1 are the two sides of 0.
    low, high = (Colour.BAD, Colour.GOOD) if alert.fires_below else (Colour.GOOD, Colour.BAD)
    return (Step(None, low), Step(alert.limit or 1, high))


def _placed(filled: list[int], width: int, height: int) -> dashboard.GridPos:
    """The highest place where it fits, of these the leftmost. `filled`: how far each column is; changed."""
    tops = [max(filled[at : at + width]) for at in range(WIDTH - width + 1)]
    top = min(tops)
    left = tops.index(top)
    filled[left : left + width] = [top + height] * width
    return dashboard.GridPos(h=height, w=width, x=left, y=top)


def _variable(variable: Variable) -> builders.QueryVariable:
    return (
        builders.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(CLICKHOUSE)
        .query({"refId": variable.name, "queryType": "sql", "rawSql": sql(variable.query)})
        .refresh(dashboard.VariableRefresh.ON_DASHBOARD_LOAD)
    )


def _panel(panel: Panel, alerts: Mapping[str, Alert], runbooks: str) -> Drawn:
    made = _drawn(panel)
    colours = builders.ThresholdsConfig().steps(
        [dashboard.Threshold(step.above, step.colour) for step in steps(panel, alerts)]
    )
    made = (
        made.title(panel.title)
        .description(described(panel, alerts))
        .span(panel.width)
        .height(panel.height)
        .unit(panel.unit)
        .thresholds(colours)
    )
    made = made.datasource(_source(panel.queries[0])).targets(list(_targets(panel)))
    if panel.words:
        made = made.mappings([_mapping(panel.words)])
    if panel.decimals is not None:
        made = made.decimals(panel.decimals)
    if isinstance(panel.queries[0], ClickHouse) and panel.queries[0].legend:
        made = made.display_name(panel.queries[0].legend)
    if panel.empty:
        made = made.no_value(panel.empty)
    for column in panel.columns:
        made = made.override_by_name(column.name, _properties(column))
    if runbooks:
        made = made.links([_runbook(alerts[name], runbooks) for name in panel.alerts])
    return made


def _drawn(panel: Panel) -> Drawn:
    match panel.kind:
        case Kind.NUMBER:
            return (
                stat.Panel()
                .color_mode(common.BigValueColorMode.BACKGROUND_SOLID)
                .graph_mode(common.BigValueGraphMode.NONE)
                .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
                .color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
            )
        case Kind.STATES:
            return (
                statetimeline.Panel()
                .show_value(common.VisibilityMode.NEVER)
                .row_height(0.8)
                .color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
            )
        case Kind.TABLE:
            return _table()
        case Kind.LINES | Kind.BARS:
            return _graph(panel)


def _table() -> table.Panel:
    hidden = {"excludeByName": {"Time": True}}
    return (
        table.Panel()
        .show_header(True)
        .with_transformation(dashboard.DataTransformerConfig("merge", options={}))
        .with_transformation(dashboard.DataTransformerConfig("organize", options=hidden))
    )


def _graph(panel: Panel) -> timeseries.Panel:
    bars = panel.kind is Kind.BARS
    legend = (
        common_builders.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.TABLE)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["lastNotNull", "max"])
    )
    made = (
        timeseries.Panel()
        .draw_style(common.GraphDrawStyle.BARS if bars else common.GraphDrawStyle.LINE)
        .line_width(0 if bars else 2)
        .fill_opacity(70 if bars else 30 if panel.stacked else 0)
        .show_points(common.VisibilityMode.NEVER if bars else common.VisibilityMode.AUTO)
        .axis_soft_min(0)
        .legend(legend)
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    )
    if panel.most is not None:
        made = made.max(panel.most)
    if panel.stacked:
        made = made.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if panel.alerts or panel.steps:
        style = common.GraphThresholdsStyleMode.DASHED
        made = made.thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(style))
    return made


def _source(query: Query) -> dashboard.DataSourceRef:
    return PROMETHEUS if isinstance(query, Prometheus) else CLICKHOUSE


def _targets(panel: Panel) -> Iterator[Builder[Dataquery]]:
    for at, query in enumerate(panel.queries):
        name = chr(ord("A") + at)
        if isinstance(query, ClickHouse):
            over_time = panel.kind in {Kind.LINES, Kind.BARS}
            form = Format.TIME_SERIES if over_time else Format.TABLE
            yield ClickHouseQueryBuilder(ClickHouseQuery(sql(query), form, name, datasource=CLICKHOUSE))
            continue
        made = (
            prometheus.Dataquery()
            .expr(query.expr)
            .ref_id(name)
            .datasource(PROMETHEUS)
            .editor_mode(QueryEditorMode.CODE)
        )
        if query.legend:
            made = made.legend_format(query.legend)
        if panel.kind is Kind.TABLE:
            made = made.format(PromQueryFormat.TABLE)
        yield made.instant() if panel.kind in {Kind.TABLE, Kind.NUMBER} else made.range()


def _mapping(words: Mapping[float, Word]) -> dashboard.ValueMap:
    return dashboard.ValueMap(
        {
            f"{value:g}": dashboard.ValueMappingResult(word.text, word.colour, index=at)
            for at, (value, word) in enumerate(words.items())
        }
    )


def _properties(column: Column) -> list[dashboard.DynamicConfigValue]:
    found = [dashboard.DynamicConfigValue("unit", column.unit)]
    if column.shown:
        found.append(dashboard.DynamicConfigValue("displayName", column.shown))
    if column.words:
        found.append(dashboard.DynamicConfigValue("mappings", [_mapping(column.words)]))
        found.append(dashboard.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    return found


def _runbook(alert: Alert, runbooks: str) -> builders.DashboardLink:
    page = alert.runbook.rpartition("/")[2]
    return (
        builders.DashboardLink(f"{alert.name}: what to do")
        .type(dashboard.DashboardLinkType.LINK)
        .url(f"{runbooks.rstrip('/')}/{page}")
        .target_blank(True)
    )
