"""Asks OSV for known advisories on every locked part: ``python -m neonblue.supply_chain.advisories``.

OSV (https://osv.dev) gathers the advisories of PyPI, Maven, GitHub and others. Names and versions of parts are sent to
it, nothing else. Exit code 0: none is known; 1: some are; 2: it could not be asked, so nothing is known.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import typer

from neonblue.stack.errors import ArtifactError
from neonblue.supply_chain.components import Component, LockError, locked

SERVICE = "https://api.osv.dev"
ASSESSED_FILE = "advisories.toml"

_AT_ONCE = 500
_SECONDS = 30.0
_PAGES = 20
"""Of one part's advisories: more than any has."""


class Assessed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An advisory that people looked at: why it does no harm here, and until when that is taken as true."""

    id: str
    reason: str
    until: date


class _Assessments(msgspec.Struct, forbid_unknown_fields=True):
    advisory: list[Assessed] = []


class _Vulnerability(msgspec.Struct):
    id: str


class _Found(msgspec.Struct):
    vulns: list[_Vulnerability] = []
    next_page_token: str | None = None


class _Batch(msgspec.Struct):
    results: list[_Found]


class _Details(msgspec.Struct):
    summary: str = ""
    withdrawn: str | None = None
    aliases: list[str] = []


class UnreachableError(Exception):
    """OSV did not answer as it should: nothing is known."""


@dataclass(frozen=True, slots=True)
class Advisory:
    """An advisory on a part. `names`: its own id first, then those that others gave it, such as CVE numbers."""

    component: Component
    names: tuple[str, ...]
    summary: str


def ask(client: httpx.Client, components: Sequence[Component]) -> list[Advisory]:
    """Every advisory on these parts, in their order. Raises UnreachableError."""
    try:
        named = [(part, name) for part, names in _matches(client, components) for name in names]
        details = {name: _details(client, name) for name in sorted({name for _, name in named})}
    except (httpx.HTTPError, msgspec.MsgspecError, ValueError) as error:
        raise UnreachableError(f"{client.base_url} did not answer: {error or type(error).__name__}") from None
    return [
        Advisory(part, (name, *details[name].aliases), details[name].summary.strip())
        for part, name in named
        if details[name].withdrawn is None
    ]


def assessed(text: str) -> list[Assessed]:
    """What `advisories.toml` says. Raises ValueError."""
    return msgspec.convert(tomllib.loads(text), _Assessments).advisory


def still_open(
    advisories: Iterable[Advisory], known: Iterable[Assessed], today: date
) -> tuple[list[Advisory], list[Advisory]]:
    """Those that nobody has assessed, or not for today; and those that somebody has."""
    valid = {one.id for one in known if one.until >= today}
    found = list(advisories)
    return [one for one in found if not valid & {*one.names}], [one for one in found if valid & {*one.names}]


def main(
    service: Annotated[str, typer.Option(help="OSV, or a mirror of it.")] = SERVICE,
) -> None:
    """Ask for known advisories on every locked part."""
    raise typer.Exit(_audit(service, Path.cwd(), date.today()))  # noqa: DTZ011 - a day, as the file has it


def _audit(service: str, root: Path, today: date) -> int:
    try:
        components = locked(root)
        known = assessed((root / ASSESSED_FILE).read_text(encoding="utf-8"))
        with httpx.Client(base_url=service, timeout=_SECONDS) as client:
            found = ask(client, components)
    except UnreachableError as error:
        print(f"Nothing is known of {len(components)} parts: {error}.", file=sys.stderr)
        print(
            "Run it where the internet is, or name a mirror: make audit OSV=https://…; or give the file of "
            "make sbom to a scanner.",
            file=sys.stderr,
        )
        return 2
    except (LockError, ArtifactError, OSError, ValueError) as error:
        print(f"No audit: {error}", file=sys.stderr)
        return 2
    unassessed, passed = still_open(found, known, today)
    for one in unassessed:
        print(f"{one.component.name} {one.component.version}: {', '.join(one.names)}  {one.summary}".rstrip())
    print(f"{len(components)} parts, {len(unassessed)} advisories, {len(passed)} assessed in {ASSESSED_FILE}")
    return 1 if unassessed else 0


def _matches(
    client: httpx.Client, components: Sequence[Component]
) -> Iterable[tuple[Component, tuple[str, ...]]]:
    rest = iter(components)
    while some := list(islice(rest, _AT_ONCE)):
        answers = _batch(client, [{"package": {"purl": _bare(one.purl)}} for one in some])
        for component, answer in zip(some, answers, strict=True):
            yield component, tuple(_all_pages(client, component, answer))


def _all_pages(client: httpx.Client, component: Component, answer: _Found) -> Iterable[str]:
    for _ in range(_PAGES):
        yield from (one.id for one in answer.vulns)
        if answer.next_page_token is None:
            return
        query = {"package": {"purl": _bare(component.purl)}, "page_token": answer.next_page_token}
        (answer,) = _batch(client, [query])
    raise UnreachableError(f"the advisories on {component.name} don't end")


def _batch(client: httpx.Client, queries: Sequence[Mapping[str, Any]]) -> list[_Found]:
    answer = client.post("/v1/querybatch", json={"queries": queries}).raise_for_status()
    results = msgspec.json.decode(answer.content, type=_Batch).results
    if len(results) != len(queries):
        raise ValueError(f"{len(results)} answers to {len(queries)} questions")
    return results


def _details(client: httpx.Client, name: str) -> _Details:
    answer = client.get(f"/v1/vulns/{name}").raise_for_status()
    return msgspec.json.decode(answer.content, type=_Details)


def _bare(purl: str) -> str:
    """OSV knows packages without the kind of file."""
    return purl.partition("?")[0]


if __name__ == "__main__":
    typer.run(main)
