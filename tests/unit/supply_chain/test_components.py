"""The parts as the locks pin them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from neonblue.supply_chain.components import LockError, java_components, locked, python_components

ROOT = Path(__file__).parents[3]
HASH = "a" * 64
OTHER = "b" * 64


def test_a_package_has_its_version_its_condition_and_every_hash() -> None:
    (found,) = python_components(
        f"Some.Thing[fast,x]==1.2+local ; python_full_version < '3.12' \\\n    --hash=sha256:{OTHER} \\\n"
        f"    --hash=sha256:{HASH}\n"
    )

    assert (found.name, found.version, found.hashes) == ("some-thing", "1.2+local", (HASH, OTHER))
    assert found.purl == "pkg:pypi/some-thing@1.2%2Blocal"
    assert found.condition == "python_full_version < '3.12'"


@pytest.mark.parametrize(
    "text",
    [
        "thing==1.0\n",
        f"thing>=1.0 --hash=sha256:{HASH}\n",
        f"thing==1.0 --hash=md5:{HASH}\n",
        f"-e . --hash=sha256:{HASH}\n",
        f"thing==1.0 --hash=sha256:{HASH[:-1]}\n",
    ],
)
def test_what_is_not_pinned_by_its_hash_is_refused(text: str) -> None:
    with pytest.raises(LockError, match=r"requirements\.lock"):
        python_components(text)


def test_an_artefact_has_its_group_and_the_kind_of_its_file() -> None:
    (found,) = java_components(f"io.debezium:connector:tar.gz:plugin:3.7.0.Final sha256:{HASH}\n")

    assert (found.group, found.name, found.version, found.hashes) == (
        "io.debezium", "connector", "3.7.0.Final", (HASH,),
    )  # fmt: skip
    assert found.purl == "pkg:maven/io.debezium/connector@3.7.0.Final?classifier=plugin&type=tar.gz"


def test_every_line_of_the_locks_is_a_part() -> None:
    python = (ROOT / "requirements.lock").read_text()
    java = (ROOT / "connectors" / "jars.lock").read_text()
    found = locked(ROOT)

    assert len(found) == len(re.findall(r"^[a-zA-Z]", python, re.MULTILINE)) + java.count("sha256:")
    assert sum(len(part.hashes) for part in found) == python.count("--hash=") + java.count("sha256:")
    assert len({part.purl for part in found}) == len(found)
