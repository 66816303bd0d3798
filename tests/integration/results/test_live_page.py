"""An open page of an experiment follows it: numbers and state change in place, and nothing else moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from neonblue.stack.jvm import jars
from neonblue.stack.services.kafka import jar_cache
from tests.integration.orchestration.browser import NEEDED, chromium, text_of, until
from tests.integration.results import history
from tests.integration.results.conftest import House

pytestmark = [NEEDED, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def driver(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A browser that is let in."""
    jars.ensure(jar_cache(house.settings), jars.locked())
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        opened.execute_cdp_cmd("Network.enable", {})
        headers = {"Authorization": house.api.headers["authorization"]}
        opened.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": headers})
        yield opened


@pytest.fixture
def page(house: House, driver: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """Open, and marked: a page that is loaded anew has the mark no more."""
    driver.get(f"{house.api.base_url}/experiments/{history.KEY}".replace("//experiments", "/experiments"))
    driver.execute_script("window.mark = true")
    until(lambda: "s ago" in shown(driver, ".asof"), "the page tells how old its numbers are")
    yield driver
    assert driver.execute_script("return window.mark"), "the page was loaded anew"
    refused = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert not refused


def change(house: House, hypothesis: str) -> None:
    path = f"/v1/experiments/{history.KEY}"
    seen = house.api.get(path).headers["etag"]
    house.api.patch(path, json={"hypothesis": hypothesis}, headers={"if-match": seen}).raise_for_status()


def shown(driver: webdriver.Chrome, selector: str) -> str:
    found = driver.find_elements(By.CSS_SELECTOR, selector)
    return " ".join(str(element.get_property("textContent")) for element in found)


def units_of(driver: webdriver.Chrome) -> list[str]:
    """Of each arm, in the table of exposures."""
    return [str(cell.get_property("textContent")) for cell in driver.find_elements(By.CSS_SELECTOR, UNITS)]


UNITS = "#exposures td[data-label='units']"


def test_numbers_change_where_they_stand(page: webdriver.Chrome, house: House, now: datetime) -> None:
    before = units_of(page)
    row = page.find_element(By.CSS_SELECTOR, "#metrics tbody tr")
    events: list[dict[str, Any]] = []
    for number in range(5):
        place = {"experiment": history.KEY, "user_id": f"seen-live-{number}", "timestamp": now.isoformat()}
        house.send("/v1/assignments", [{**place, "variant_key": "treatment"}])
        events.append({**place, "event_type": "purchase", "value": "3"})
    house.send("/v1/events", events)
    house.carry()
    house.refresh_live()

    until(lambda: units_of(page) != before, "the units change", 60, lambda: str(units_of(page)))

    assert sum(int(text.replace(",", "")) for text in units_of(page)) == 5 + sum(
        int(text.replace(",", "")) for text in before
    )
    assert page.execute_script("return arguments[0].isConnected", row), "rows stay the same elements"


def test_what_is_changed_is_shown_and_what_was_typed_and_opened_stays(
    page: webdriver.Chrome, house: House
) -> None:
    change(house, "It was told before anybody looked.")
    page.get(f"{page.current_url.partition('?')[0]}?do=conclude")
    page.execute_script("window.mark = true")
    reason = page.find_element(By.ID, "reason")
    reason.send_keys("half a reason")
    opened = page.find_element(By.CSS_SELECTOR, "#history details")
    page.execute_script("arguments[0].open = true", opened)

    change(house, "It was told while somebody looked.")
    until(lambda: "It was told while somebody looked." in text_of(page), "the new text is shown", 60)

    assert page.execute_script("return document.querySelectorAll('#history details[open]').length") == 1
    assert page.find_element(By.ID, "reason").get_property("value") == "half a reason"
    assert page.execute_script("return arguments[0].isConnected", reason)
