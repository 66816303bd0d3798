"""Where the log-in leads: to this site, whatever is asked for."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.web.login.page import START, own_path

HERE = "http://api.example:8000/login"
STRANGE = st.text(st.sampled_from("/\\.:@?#%&= \t\n\r;aevil.com\u2028é"), max_size=30)


@given(STRANGE | STRANGE.map(lambda text: f"/{text}"))
@example("//evil.com")
@example("/\\evil.com")
@example("/\t/evil.com")
@example("https:evil.com")
@example("/.//evil.com")
def test_no_address_leads_to_another_host(wanted: str) -> None:
    led = own_path(wanted)
    place = urlsplit(urljoin(HERE, led))
    assert (place.scheme, place.netloc) == ("http", "api.example:8000")
    assert led.startswith("/")
    assert not led.startswith(("//", "/\\"))
    assert not set(led) & set("\\ \t\r\n")


@pytest.mark.parametrize(
    "wanted", ["/experiments", "/experiments/checkout?do=start", "/docs", "/a?b=c%20d&e=%C3%A9"]
)
def test_a_path_of_this_site_is_led_to(wanted: str) -> None:
    assert own_path(wanted) == wanted


@pytest.mark.parametrize(
    "wanted", [None, "", "experiments", "/login", "/login?next=/login", "/logout", "/" + "x" * 3_000]
)
def test_what_is_no_place_to_go_to_leads_to_the_experiments(wanted: str | None) -> None:
    assert own_path(wanted) == START
