"""The audit of dependencies, asked of a service that answers as OSV does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from neonblue.supply_chain.advisories import Assessed, UnreachableError, ask, assessed, still_open
from neonblue.supply_chain.components import Component

ROOT = Path(__file__).parents[3]
JINJA = Component("jinja2", "2.11.2", "pkg:pypi/jinja2@2.11.2", ("a" * 64,))
KAFKA = Component(
    "kafka", "4.0", "pkg:maven/org.apache/kafka@4.0?type=tar.gz", ("b" * 64,), group="org.apache"
)
WITHDRAWN = "GHSA-withdrawn"


@dataclass
class Osv:
    """What the service holds by package URL, in pages, and what it was asked."""

    address: str = ""
    known: dict[str, list[list[str]]] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    broken: bool = False

    def batch(self, queries: list[dict[str, Any]]) -> dict[str, Any]:
        results = []
        for query in queries:
            pages = self.known.get(query["package"]["purl"], [])
            page = int(query.get("page_token", 0))
            found: dict[str, Any] = {"vulns": [{"id": name} for name in pages[page]]} if pages else {}
            if page + 1 < len(pages):
                found["next_page_token"] = str(page + 1)
            results.append(found)
        return {"results": results[1:] if self.broken else results}


@pytest.fixture
def osv() -> Iterator[Osv]:
    service = Osv()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            queries = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
            service.asked += queries
            self._answer(service.batch(queries))

        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            withdrawn = {"withdrawn": "2026-01-01T00:00:00Z"} if name == WITHDRAWN else {}
            self._answer({"id": name, "aliases": [f"CVE-of-{name}"], "summary": f"about {name}"} | withdrawn)

        def _answer(self, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield service
    server.shutdown()
    thread.join()
    server.server_close()


def found(osv: Osv, *components: Component) -> list[tuple[str, str]]:
    with httpx.Client(base_url=osv.address, trust_env=False) as client:
        return [(one.component.name, one.names[0]) for one in ask(client, components)]


def audit(osv_address: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "neonblue.supply_chain.advisories", "--service", osv_address]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_every_page_of_every_parts_advisories_is_read(osv: Osv) -> None:
    osv.known = {
        JINJA.purl: [["GHSA-1", "GHSA-2"], ["GHSA-3"]],
        "pkg:maven/org.apache/kafka@4.0": [["GHSA-4"]],
    }

    assert found(osv, JINJA, KAFKA) == [
        ("jinja2", "GHSA-1"), ("jinja2", "GHSA-2"), ("jinja2", "GHSA-3"), ("kafka", "GHSA-4"),
    ]  # fmt: skip


def test_a_withdrawn_advisory_is_none(osv: Osv) -> None:
    osv.known = {JINJA.purl: [[WITHDRAWN, "GHSA-1"]]}
    assert found(osv, JINJA) == [("jinja2", "GHSA-1")]


def test_an_answer_that_lacks_a_part_is_no_clean_bill(osv: Osv) -> None:
    osv.broken = True
    with pytest.raises(UnreachableError, match="1 answers to 2 questions"):
        found(osv, JINJA, KAFKA)


def test_an_assessment_holds_until_its_day_by_any_of_the_names(osv: Osv) -> None:
    osv.known = {JINJA.purl: [["GHSA-1", "GHSA-2"]]}
    known = [Assessed("CVE-of-GHSA-1", "not called", date(2026, 3, 1))]
    with httpx.Client(base_url=osv.address, trust_env=False) as client:
        advisories = ask(client, [JINJA])

    unassessed, passed = still_open(advisories, known, date(2026, 3, 1))
    assert ([one.names[0] for one in unassessed], [one.names[0] for one in passed]) == (
        ["GHSA-2"],
        ["GHSA-1"],
    )
    assert len(still_open(advisories, known, date(2026, 3, 2))[0]) == 2


def test_the_checkouts_assessments_can_be_read() -> None:
    assert all(one.reason for one in assessed((ROOT / "advisories.toml").read_text()))


@pytest.mark.parametrize("text", ["[[advisory]]\nid = 'x'\n", "[[advisory]]\nid = 1", "x = 1", "[["])
def test_an_assessment_without_reason_and_end_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        assessed(text)


def test_the_command_asks_for_every_locked_part_and_says_what_it_found(osv: Osv) -> None:
    clean = audit(osv.address)
    assert (clean.returncode, "0 advisories" in clean.stdout) == (0, True), clean.stderr
    purls = [one["package"]["purl"] for one in osv.asked]
    assert len(purls) == len(set(purls)) > 300
    assert any(purl.startswith("pkg:maven/") for purl in purls)

    osv.known = {next(purl for purl in purls if "/jinja2@" in purl): [["GHSA-1"]]}
    bad = audit(osv.address)
    assert bad.returncode == 1
    assert "GHSA-1, CVE-of-GHSA-1  about GHSA-1" in bad.stdout


def test_a_service_that_is_away_is_no_clean_bill() -> None:
    done = audit("http://127.0.0.1:1")
    assert done.returncode == 2
    assert "Nothing is known of" in done.stderr
    assert "Traceback" not in done.stderr
