"""What a panel's queries answer, from the real Prometheus and the real ClickHouse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import httpx

from neonblue.dashboards.model import ClickHouse, Kind, Panel, Prometheus
from neonblue.dashboards.render import sql as text_of
from neonblue.settings import Settings
from tests.dashboards import expanding
from tests.dashboards.expanding import SCRAPE_SECONDS, View


@dataclass(frozen=True, slots=True)
class Line:
    """A line or a number: its name in the legend, and its points."""

    name: str
    times: Sequence[datetime]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query answered: lines, or the rows of a table (its columns by name). `asked`: as it was sent."""

    asked: str
    lines: Sequence[Line] = ()
    rows: Sequence[dict[str, Any]] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not self.rows and not any(math.isfinite(value) for line in self.lines for value in line.values)


class Sources:
    """The stack's Prometheus, and its ClickHouse as the user that reads only."""

    def __init__(self, settings: Settings) -> None:
        monitoring, clickhouse = settings.monitoring, settings.clickhouse
        self._prometheus = httpx.Client(
            base_url=f"http://127.0.0.1:{monitoring.prometheus_port}",
            auth=monitoring.credentials,
            trust_env=False,
            timeout=30,
        )
        self._clickhouse = httpx.Client(
            base_url=clickhouse.address,
            auth=(clickhouse.readonly_user, clickhouse.readonly_password.get_secret_value()),
            params={"database": clickhouse.database},
            trust_env=False,
            timeout=60,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._prometheus.close()
        self._clickhouse.close()

    def answers(self, panel: Panel, view: View) -> list[Answer]:
        """Of each of its queries. Raises ``AssertionError`` with the query where it is refused."""
        return [
            self._metrics(query, panel.kind, view)
            if isinstance(query, Prometheus)
            else self.select(query, panel.kind, view)
            for query in panel.queries
        ]

    def names(self) -> set[str]:
        """Every metric that Prometheus has."""
        return set(self._get("/api/v1/label/__name__/values", {}))

    def select(self, query: ClickHouse, kind: Kind, view: View) -> Answer:
        """Rows of ClickHouse; as lines where the panel shows some: one for each text and column of numbers."""
        asked = expanding.sql(text_of(query), view)
        got = self._clickhouse.post("/", content=f"{asked}\nFORMAT JSON")
        assert got.is_success, f"{query.name}: {got.text}\n{asked}"
        rows = got.json()["data"]
        if kind not in {Kind.LINES, Kind.BARS}:
            return Answer(asked, rows=rows)
        types = {column["name"]: column["type"] for column in got.json()["meta"]}
        times = [name for name, type_ in types.items() if "DateTime" in type_]
        assert times == ["time"], f"{query.name}: a series has one time, called so: {types}"
        assert [row["time"] for row in rows] == sorted(row["time"] for row in rows), f"{query.name}: by time"
        return Answer(asked, _wide(rows, types, named=not query.legend))

    def _metrics(self, query: Prometheus, kind: Kind, view: View) -> Answer:
        asked = expanding.promql(query.expr, view)
        if kind in {Kind.TABLE, Kind.NUMBER}:
            found = self._get("/api/v1/query", {"query": asked, "time": view.end.timestamp()})
            values = [(sample["metric"], [sample["value"]]) for sample in found["result"]]
        else:
            span = {"start": view.start.timestamp(), "end": view.end.timestamp()}
            step = view.interval(SCRAPE_SECONDS)
            found = self._get("/api/v1/query_range", {"query": asked, "step": step} | span)
            values = [(series["metric"], series["values"]) for series in found["result"]]
        if kind is Kind.TABLE:
            return Answer(asked, rows=[metric | {"Value": float(points[-1][1])} for metric, points in values])
        return Answer(asked, [_line(query, metric, points) for metric, points in values])

    def _get(self, path: str, parameters: dict[str, Any]) -> Any:
        got = self._prometheus.get(path, params=parameters)
        assert got.is_success, f"{parameters}: {got.text}"
        return got.json()["data"]


def _line(query: Prometheus, metric: dict[str, str], points: list[tuple[float, str]]) -> Line:
    name = query.legend
    for label, value in metric.items():
        name = name.replace(f"{{{{{label}}}}}", value)
    times = [datetime.fromtimestamp(at, UTC) for at, _ in points]
    return Line(name, times, [float(value) for _, value in points])


def _wide(rows: list[dict[str, Any]], types: dict[str, str], *, named: bool) -> list[Line]:
    texts = [name for name, type_ in types.items() if "String" in type_]
    numbers = [name for name in types if name not in {*texts, "time"}]
    lines: dict[str, tuple[list[datetime], list[float]]] = {}
    for row in rows:
        for number in numbers:
            label = " ".join([*([number] if named else []), *(row[text] for text in texts)])
            times, values = lines.setdefault(label, ([], []))
            times.append(datetime.fromisoformat(row["time"]).replace(tzinfo=UTC))
            values.append(math.nan if row[number] is None else float(row[number]))
    return [Line(name, times, values) for name, (times, values) in lines.items()]
