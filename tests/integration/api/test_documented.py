"""The code of the pages for newcomers, run as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.integration.api.conftest import TOKEN

ROOT = Path(__file__).parents[3]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CREATE = "/v1/experiments -d"


def blocks(page: str, language: str) -> list[str]:
    """The page's blocks of code in a language, in their order."""
    return [code for name, code in _BLOCK.findall((ROOT / page).read_text()) if name == language]


def environment() -> dict[str, str]:
    return os.environ | {
        "NEONBLUE_API_TOKEN": TOKEN,
        "PYTHONPATH": str(ROOT),
        "NO_PROXY": "127.0.0.1,localhost",
    }


def creating(page: str) -> str:
    (code,) = [code for code in blocks(page, "sh") if CREATE in code]
    return code


@pytest.fixture(scope="module")
def checkout(api: httpx.Client) -> str:
    """The experiment that the pages use, made by the page's own lines of shell; their answers."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    code = creating("docs/sdks.md").replace("source .neonblue/neonblue.env\n", "set -e\n")
    code = code.replace("localhost:8000", f"{api.base_url.host}:{api.base_url.port}")
    made = subprocess.run(
        ["bash", "-c", code], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


def test_the_lines_of_shell_create_start_assign_and_send(checkout: str) -> None:
    assert '"status":"running"' in checkout
    assert re.search(r'"variant_key":"(control|one_page)"', checkout)
    assert '"accepted":1' in checkout


def test_the_readme_shows_the_same_lines() -> None:
    assert creating("README.md").replace("curl -s ", "curl -s --fail-with-body ") == creating("docs/sdks.md")


@pytest.mark.parametrize("number", range(len(blocks("docs/sdks.md", "python"))))
def test_the_code_for_python_runs(api: httpx.Client, checkout: str, number: int) -> None:
    code = blocks("docs/sdks.md", "python")[number]
    address = f"http://{api.base_url.host}:{api.base_url.port}"
    run = subprocess.run(
        [sys.executable, "-c", code.replace("http://127.0.0.1:8000", address)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "default_variant" not in run.stdout
    assert "Error" not in run.stdout + run.stderr
