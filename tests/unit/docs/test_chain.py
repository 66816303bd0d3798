"""The page on ClickHouse has the chain of views that its files make."""

from __future__ import annotations

import re

from tests.unit.docs.pages import ROOT, text

_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+).*?\bENGINE\s*=\s*(\S+)", re.DOTALL)
_VIEW = re.compile(r"CREATE MATERIALIZED VIEW IF NOT EXISTS (\w+).*?\bTO (\w+)\b(.*)", re.DOTALL)
# A table that is kept, and written to another one as well.
_READ_ON = {"events_processed"}

Step = tuple[str, str, str]


def made() -> set[Step]:
    """Each view's source, itself and its target. The source is what it is set off by: a table that holds nothing."""
    statements = [
        statement
        for file in sorted((ROOT / "clickhouse").glob("*.sql"))
        for statement in re.sub(r"--.*", "", file.read_text()).split(";")
    ]
    tables = dict(match.groups() for match in map(_TABLE.search, statements) if match)
    passing = {name for name, engine in tables.items() if engine in ("Kafka", "Null")} | _READ_ON
    steps = set()
    for view, target, query in (match.groups() for match in map(_VIEW.search, statements) if match):
        (source,) = passing & set(re.findall(r"\bFROM (\w+)", query))
        steps.add((source, view, target))
    return steps


def told() -> set[Step]:
    section = text("docs/architecture/clickhouse.md").split("\n| table | columns |")[0]
    steps = set()
    for chain in re.findall(r"`\w+`(?: → `\w+` \(`\w+`\))+", section):
        source, *rest = re.findall(r"`(\w+)`", chain)
        for target, view in zip(rest[::2], rest[1::2], strict=True):
            steps.add((source, view, target))
            source = target
    return steps


def test_the_page_has_the_chain_that_the_files_make() -> None:
    assert told() == made()
    assert ("outbox_messages", "event_batches_mv", "event_batches") in made()
