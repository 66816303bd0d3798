"""The bill of materials: all that is locked, and what comes inside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from neonblue.supply_chain.components import locked
from neonblue.supply_chain.engines import ENGINES
from neonblue.supply_chain.sbom import bill

ROOT = Path(__file__).parents[3]
VERSIONS = {engine: f"{number}.0" for number, engine in enumerate(ENGINES, start=1)}


def test_every_locked_part_is_in_it_with_its_version_and_hashes() -> None:
    parts = locked(ROOT)
    document = bill(parts, VERSIONS, "1.0")

    listed = {one["bom-ref"]: one for one in document["components"]}
    assert len(listed) == len(document["components"]) == len(parts) + len(ENGINES)
    for part in parts:
        shown = listed[part.purl]
        assert (shown["name"], shown["version"]) == (part.name, part.version)
        assert [one["content"] for one in shown["hashes"]] == list(part.hashes)
    (all_of_it,) = document["dependencies"]
    assert set(all_of_it["dependsOn"]) <= set(listed)


def test_each_engine_is_told_with_the_wheel_that_it_comes_in() -> None:
    document = bill(locked(ROOT), VERSIONS, "1.0")
    shown = {one["name"]: one for one in document["components"] if one["type"] == "application"}

    assert set(shown) == {"postgresql", "clickhouse", "valkey", "openjdk"}
    refs = {one["bom-ref"] for one in document["components"]}
    for one in shown.values():
        assert one["properties"][0]["value"] in refs
        assert one["cpe"].split(":")[5] == one["version"]


def test_the_same_locks_make_the_same_bytes_and_others_another_number() -> None:
    parts = locked(ROOT)
    first, second = (json.dumps(bill(given, VERSIONS, "1.0")) for given in (parts, list(reversed(parts))))
    assert first == second
    assert bill(parts, VERSIONS, "1.1")["serialNumber"] not in first
    assert "timestamp" not in first


def test_the_command_writes_what_the_installed_engines_say(tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"
    for _ in range(2):
        command = [sys.executable, "-m", "neonblue.supply_chain.sbom", str(file)]
        before = file.read_bytes() if file.exists() else None
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    assert file.read_bytes() == before
    versions = {one["name"]: one["version"] for one in json.loads(file.read_text())["components"]}
    assert versions["postgresql"].startswith("18.")
    assert versions["clickhouse"].startswith("26.1.")


def test_a_folder_without_the_locks_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "neonblue.supply_chain.sbom"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env={"PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "requirements.lock" in done.stderr
    assert "Traceback" not in done.stderr
