"""A headless Chromium, and Dagster's page for it to look at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests import waiting
from tests.integration.warehouse import free_port

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")

NEEDED = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium: apt-get install chromium chromium-driver"
)
"""The mark of tests that look at a page."""
T = TypeVar("T")
_POLL_SECONDS = 0.2
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1800,1100",
)
INSTANCE = """\
run_coordinator:
  module: dagster.core.run_coordinator
  class: DefaultRunCoordinator
telemetry:
  enabled: false
nux:
  enabled: false
"""
_READY = (
    "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"
)


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@contextmanager
def dagster_page(home: Path) -> Iterator[str]:
    """Dagster's page with the definitions loaded, run by run in processes of its own; its address."""
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(INSTANCE)
    port = free_port()
    command = [sys.executable, "-m", "dagster_webserver", "-m", "orchestration.definitions", "-p", str(port)]
    with (home / "page.log").open("wb") as log:
        page = subprocess.Popen(
            command, env={**os.environ, "DAGSTER_HOME": str(home)}, stdout=log, stderr=subprocess.STDOUT
        )
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: page.poll() is not None or _loaded(address), "the definitions are loaded", 240)
        assert page.poll() is None, (home / "page.log").read_text()[-4000:]
        yield address
    finally:
        page.terminate()
        page.wait(timeout=60)


def sign_in(driver: webdriver.Chrome, token: str) -> None:
    """Paste a token where the page asks for one."""
    until(lambda: driver.find_elements(By.ID, "token"), "a token is asked for")[0].send_keys(token)
    until(lambda: button(driver, "Sign in"), "there is a button that signs in").click()
    until(lambda: not driver.find_elements(By.ID, "token"), "the token is taken")


def until(
    condition: Callable[[], T | None], what: str, seconds: float = 120, told: Callable[[], str] = str
) -> T:
    """The first true value of `condition`, seen while the page may draw itself anew; see `tests.waiting`."""
    passing = (StaleElementReferenceException,)
    return waiting.until(condition, what, seconds, told=told, passing=passing, poll_seconds=_POLL_SECONDS)


def text_of(driver: webdriver.Chrome) -> str:
    """All text of the page, also what is scrolled out of sight."""
    return str(driver.execute_script("return document.body.textContent"))


def button(driver: webdriver.Chrome, *names: str) -> WebElement | None:
    """The first button that can be pressed and says one of the names."""
    return next((found for found in _buttons(driver) if found.text.strip() in names), None)


def button_beginning(driver: webdriver.Chrome, name: str) -> WebElement | None:
    """The first button that can be pressed and says something that begins so."""
    return next((found for found in _buttons(driver) if found.text.strip().startswith(name)), None)


def _buttons(driver: webdriver.Chrome) -> Iterator[WebElement]:
    for element in driver.find_elements(By.TAG_NAME, "button"):
        if element.is_displayed() and element.is_enabled():
            yield element


def _loaded(address: str) -> bool:
    try:
        answer = httpx.post(f"{address}/graphql", json={"query": _READY}, timeout=5).json()
    except httpx.HTTPError:
        return False
    entries = answer["data"]["workspaceOrError"].get("locationEntries", [])
    return any(
        (entry["locationOrLoadError"] or {}).get("__typename") == "RepositoryLocation" for entry in entries
    )
