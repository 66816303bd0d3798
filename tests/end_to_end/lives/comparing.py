"""Compares the API's answers and the warehouse's tables with the plain computation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import httpx
from clickhouse_connect.driver.client import Client

from tests.end_to_end.lives.design import Json, Life
from tests.end_to_end.lives.plain import PlainResults
from tests.end_to_end.lives.tally import Tally, words
from tests.integration.dbt_project.expected_values import Mart
from tests.integration.dbt_project.marts import COLUMNS, NOT_LIVE, as_plain

_SUMMED = {"experiment_summary": 6, "exposure_health": 7, "exposure_stages": 4}
"""Tables with a row also where there is nobody, and how many numbers it has: all 0."""
_PATHS = 1000


def read_marts(client: Client, numbers: Sequence[int], *, live: bool) -> dict[str, dict[int, Mart]]:
    """Every mart, or its live view, by experiment."""
    found: dict[str, dict[int, Mart]] = {}
    for name, (grain, columns) in COLUMNS.items():
        left_out = NOT_LIVE.get(name, ()) if live else ()
        wanted = [column for column in columns.split(", ") if column not in left_out]
        keys = len(grain.split(","))
        relation = f"live_{name}" if live else name
        query = f"SELECT {grain}, {', '.join(wanted)} FROM {relation} WHERE experiment_id IN {{numbers:Array(UInt32)}}"
        by_number: dict[int, Mart] = defaultdict(dict)
        for row in client.query(query, parameters={"numbers": list(numbers)}).result_rows:
            values = tuple(as_plain(value) for value in row)
            place, mart = values[:keys], by_number[values[0]]
            assert place not in mart, f"{relation}: two rows of {place}"
            mart[place] = values[keys:]
        found[name] = by_number
    return found


def compare_marts(
    tally: Tally, plain: PlainResults, found: Mapping[str, Mapping[int, Mart]], *, live: bool
) -> None:
    """Every row of every mart of one life."""
    number = plain.told.number
    for name, (_, columns) in COLUMNS.items():
        rows = {key: row for key, row in getattr(plain.expected, name)().items() if key[0] == number}
        if live:
            kept = [n for n, column in enumerate(columns.split(", ")) if column not in NOT_LIVE.get(name, ())]
            rows = {key: tuple(row[n] for n in kept) for key, row in rows.items()}
        said = dict(found[name].get(number, {}))
        if name in _SUMMED:
            said = {key: row for key, row in said.items() if key in rows or any(row)}
        tally.hold_all(plain.life.key, f"{'live_' if live else ''}{name}", said, rows)


def _get(api: httpx.Client, life: Life, part: str) -> Json:
    answer = api.get(f"/v1/experiments/{life.key}/{part}")
    assert answer.is_success, f"{answer.request.url}: {answer.text}"
    found: Json = answer.json()
    return found


def compare_results(tally: Tally, plain: PlainResults, api: httpx.Client) -> None:
    """What the API answers to `results`: units, and every metric of every treatment."""
    life = plain.life
    results = _get(api, life, "results")
    tally.hold(life.key, "results status", results["about"]["status"], plain.told.status)
    if plain.told.status in ("draft", "scheduled"):
        tally.hold(life.key, "results state", results["status"], "not_started")
        return
    tally.hold(life.key, "results units", results["units"], plain.units)
    tally.hold(life.key, "results assigned", results["assigned"], plain.assigned)
    _compare_items(tally, plain, results["items"])


def compare_parts(tally: Tally, plain: PlainResults, api: httpx.Client) -> None:
    """Everything else that the API answers of a life that has begun."""
    life, expected = plain.life, plain.expected
    number = plain.told.number

    def get(part: str) -> Json:
        return _get(api, life, part)

    if plain.told.status in ("draft", "scheduled"):
        return
    days = get("timeseries?interval=day")
    counts = ("events", "exposures", "conversions", "value", "first_exposures")
    tally.hold_all(
        life.key,
        "timeseries day",
        {(i["variant_key"], _instant(i["start"]).date()): tuple(i[c] for c in counts) for i in days["items"]},
        {key[1:]: _counted(row) for key, row in expected.daily_metrics().items()},
    )
    tally.hold_all(
        life.key,
        "timeseries effects",
        {
            (e["metric_key"], e["variant_key"], date.fromisoformat(e["day"])): e["units"]
            for e in days["effects"]
        },
        {key: row["units"] for key, row in plain.effects().items()},
    )
    tally.hold_all(
        life.key,
        "timeseries hour",
        {
            (i["variant_key"], _instant(i["start"])): tuple(i[c] for c in counts)
            for i in get("timeseries?interval=hour")["items"]
        },
        {key[1:]: _counted(row) for key, row in expected.hourly_metrics().items()},
    )
    funnel: dict[Any, Any] = {}
    for (_, arm, _, step), (kind, entered, units) in expected.funnels().items():
        _, before, others = funnel.get((arm, step), (kind, 0, 0))
        funnel[arm, step] = kind, before + entered, others + units
    tally.hold_all(
        life.key,
        "funnel",
        {
            (i["variant_key"], i["step"]): (i["event_type"], i["entered_units"], i["units"])
            for i in get("funnel")["items"]
        },
        funnel,
    )
    tally.hold_all(
        life.key,
        "cohorts",
        {
            (i["variant_key"], date.fromisoformat(i["exposure_date"]), i["day_since"]): (
                i["cohort_units"],
                i["active_units"],
            )
            for i in get("cohorts")["items"]
        },
        {key[1:]: row for key, row in expected.cohort_retention().items()},
    )
    tally.hold_all(
        life.key,
        "journeys",
        {
            (i["variant_key"], tuple(i["path"])): (i["units"], i["converted_units"], i["value"])
            for i in get(f"journeys?limit={_PATHS}")["items"]
        },
        {key: _floated(row, 2) for key, row in plain.journeys().items()},
    )
    tally.hold_all(
        life.key,
        "health stages",
        {
            (i["version"], i["variant_key"]): (
                i["assigned_units"],
                i["exposed_units"],
                i["active_units"],
                i["analysed_units"],
            )
            for i in get("health")["items"]
        },
        {key[1:]: row for key, row in expected.exposure_stages().items() if key[0] == number},
    )
    _compare_revenue(tally, plain, get("revenue")["items"])
    _compare_segments(tally, plain, get("segments")["items"])


def _compare_items(tally: Tally, plain: PlainResults, items: Sequence[Json]) -> None:
    life = plain.life
    expected = plain.items()
    said = {(item["metric_key"], item["variant_key"]): item for item in items}
    tally.hold(life.key, "results which", sorted(said), sorted(expected))
    for place in sorted(expected.keys() & said.keys()):
        item, numbers = said[place], expected[place]
        if item["status"] == "shares_changed":
            assert item["metric_type"] == "quantile", item
            assert plain.is_restricted(place[1]), item
            numbers = {n: v for n, v in numbers.items() if n.split("_")[0] not in ("n", "mean")}
        adjusted, looked = numbers.pop("adjusted"), numbers.pop("p_value")
        for name, value in numbers.items():
            tally.hold(life.key, f"results {words(place)} {name}", item[name], value)
        if item["difference"] is None:
            continue
        # Before the first look no method is named, and the difference is adjusted all the same.
        if item["method"] == "cuped" or (not item["method"] and adjusted is not None):
            tally.hold(life.key, f"results {words(place)} adjusted", item["difference"], adjusted)
            continue
        difference = numbers["mean_variant"] - numbers["mean_control"]
        tally.hold(life.key, f"results {words(place)} difference", item["difference"], difference)
        if plain.waits:
            tally.hold(life.key, f"results {words(place)} p", item["p_value"], None)
        elif looked and item["method"] in looked and not item["status_reason"]:
            tally.hold(life.key, f"results {words(place)} p", item["p_value"], looked[item["method"]])
        if item["relative_lift"] is not None:
            lift = difference / abs(numbers["mean_control"])
            tally.hold(life.key, f"results {words(place)} lift", item["relative_lift"], lift)


def _compare_revenue(tally: Tally, plain: PlainResults, items: Sequence[Json]) -> None:
    expected = {key[1:]: row for key, row in plain.expected.revenue_attribution().items()}
    said = {(item["metric_key"], item["variant_key"]): item for item in items}
    tally.hold(plain.life.key, "revenue which", sorted(said), sorted(expected))
    for place in sorted(expected.keys() & said.keys()):
        item, (units, revenue, *incremental) = said[place], expected[place]
        tally.hold(
            plain.life.key,
            f"revenue {words(place)}",
            (item["units"], item["revenue"]),
            (units, float(revenue)),
        )
        if item["status"] == "ok":
            found = item["incremental_revenue"], item["incremental_low"], item["incremental_high"]
            tally.hold(plain.life.key, f"revenue {words(place)} incremental", found, tuple(incremental))


def _compare_segments(tally: Tally, plain: PlainResults, items: Sequence[Json]) -> None:
    expected = plain.segments()
    said = {(i["attribute"], i["value"], i["metric"], i["arm"]): i for i in items}
    tally.hold(plain.life.key, "segments which", sorted(said), sorted(expected))
    for place in sorted(expected.keys() & said.keys()):
        row = expected[place]
        tally.hold(plain.life.key, f"segments {words(place)} units", said[place]["units"], row["units"])
        if said[place]["lift"] is not None:
            tally.hold(plain.life.key, f"segments {words(place)} lift", said[place]["lift"], row["lift"])


def _counted(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Of a row of days or hours what the call shows: not what is counted of clocks."""
    events, exposures, conversions, value, *_, first_exposures = row
    return events, exposures, conversions, float(value), first_exposures


def _floated(row: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    return (*row[:place], float(row[place]), *row[place + 1 :])


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
