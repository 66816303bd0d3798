"""The sign-in and the page behind it, as a person sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium import webdriver

from tests.integration.api.access.conftest import TokenMaker
from tests.integration.orchestration.browser import (
    NEEDED,
    button,
    button_beginning,
    chromium,
    sign_in,
    text_of,
    until,
)
from tests.integration.orchestration.web.conftest import Page

pytestmark = [
    NEEDED,
    pytest.mark.timeout(600),
]
_RUNS = "{ runsOrError { ... on Runs { results { status assetSelection { path } } } } }"


def test_an_editor_signs_in_and_materializes_and_a_viewer_only_looks(
    page: Page, make_token: TokenMaker, tmp_path: Path
) -> None:
    asset = f"{page.address}/assets/greeting"
    with chromium(tmp_path / "chromium") as browser:
        for scheme in ("light", "dark"):
            _prefer(browser, scheme)
            browser.get(asset)
            browser.save_screenshot(str(tmp_path / f"sign-in-{scheme}.png"))
        sign_in(browser, make_token("editor"))
        assert browser.current_url == asset

        until(lambda: button(browser, "Materialize"), "the asset can be materialized").click()
        until(lambda: "SUCCESS" in str(page.own(_RUNS)), "the run has succeeded")
        browser.get(f"{page.address}/runs")
        until(lambda: "Success" in text_of(browser), "the page shows so")
        browser.save_screenshot(str(tmp_path / "runs.png"))

        browser.get(f"{page.address}/sign-out")
        until(lambda: button(browser, "Sign out"), "one can sign out").click()
        browser.save_screenshot(str(tmp_path / "signed-out.png"))
        sign_in(browser, make_token("viewer"))
        browser.get(asset)
        until(lambda: "Materialize" in text_of(browser), "the asset is shown")
        browser.save_screenshot(str(tmp_path / "viewer.png"))
        until(lambda: button_beginning(browser, "Materialize") is None, "nothing can be materialized", 10)


def _prefer(browser: webdriver.Chrome, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
