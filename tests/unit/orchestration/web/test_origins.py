"""A request names this machine or the public address, and comes from the page itself."""

from __future__ import annotations

import pytest

from orchestration.web.origins import Site, check_fetch
from orchestration.web.refusals import Refusal

LOCAL = Site.of(None)
PUBLIC = Site.of("https://Dagster.example.com:443/some/path")


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost", "LOCALHOST:4000", "[::1]:3000"])
def test_the_loopbacks_names_are_served(host: str) -> None:
    assert LOCAL.check_host([host]) == host.lower()


@pytest.mark.parametrize(
    "hosts",
    [
        ["evil.example"], ["evil.example:3000"], [], ["127.0.0.1", "evil.example"], [""], ["localhost.evil.example"],
        ["127.0.0.1@evil.example"], ["127.0.0.1:3000, evil.example"], ["localhost:"], ["127.0.0.1.nip.io"],
        ["dagster.example.com"], ["localhost:3000\n"], ["2130706433"],
    ],
)  # fmt: skip
def test_any_other_host_is_refused(hosts: list[str]) -> None:
    with pytest.raises(Refusal) as refused:
        LOCAL.check_host(hosts)

    assert refused.value.status == 421
    assert "NEONBLUE_DAGSTER_PUBLIC_URL" in refused.value.message


@pytest.mark.parametrize("host", ["dagster.example.com", "dagster.example.com:443", "127.0.0.1:3000"])
def test_the_public_address_is_served_beside_them(host: str) -> None:
    assert PUBLIC.check_host([host])


def test_other_parts_of_the_stack_ask_by_the_name_that_they_know() -> None:
    site = Site.of("https://dagster.example.com", "http://dagster:3000")
    assert site.check_host(["dagster:3000"]) == "dagster:3000"
    assert site.check_host(["dagster.example.com"])
    for other in ("dagster", "dagster:3001", "dagster:3000.evil.example", ""):
        with pytest.raises(Refusal):
            site.check_host([other])
    with pytest.raises(Refusal):
        site.check_origin(["http://dagster:3000"], "dagster:3000", needed=True)


@pytest.mark.parametrize("host", ["dagster.example.com:80", "x.dagster.example.com", "example.com"])
def test_nothing_near_the_public_address_is(host: str) -> None:
    with pytest.raises(Refusal):
        PUBLIC.check_host([host])


def test_the_pages_own_origin_is_let_in() -> None:
    assert LOCAL.check_origin(["http://localhost:3000"], "localhost:3000", needed=True)
    assert PUBLIC.check_origin(["https://dagster.example.com"], "dagster.example.com", needed=True)
    assert PUBLIC.check_origin(["https://dagster.example.com"], "127.0.0.1:3000", needed=True)
    assert LOCAL.check_origin([], "localhost:3000", needed=False) == ""


@pytest.mark.parametrize(
    "origins",
    [
        ["http://evil.example"], ["http://localhost:8000"], ["https://localhost:3000"], ["http://127.0.0.1:3000"],
        ["null"], [""], ["http://localhost:3000", "http://evil.example"], ["http://localhost:3000/"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("needed", [True, False])
def test_another_pages_origin_is_refused_also_one_of_another_port(origins: list[str], needed: bool) -> None:
    with pytest.raises(Refusal) as refused:
        LOCAL.check_origin(origins, "localhost:3000", needed=needed)

    assert refused.value.status == 403


def test_a_missing_origin_is_refused_where_one_is_needed() -> None:
    with pytest.raises(Refusal):
        LOCAL.check_origin([], "localhost:3000", needed=True)


def test_another_page_may_lead_here_but_not_load_from_here() -> None:
    check_fetch(["cross-site"], ["navigate"], "GET")
    check_fetch(["same-origin"], ["cors"], "POST")
    check_fetch([], [], "POST")
    for site, mode, method in [
        ("cross-site", "no-cors", "GET"),
        ("same-site", "cors", "GET"),
        ("same-site", "navigate", "POST"),
    ]:
        with pytest.raises(Refusal):
            check_fetch([site], [mode], method)
