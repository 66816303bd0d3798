"""OpenFeature's own packages against a running API: an application with its SDK needs nothing of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from openfeature import api as openfeature
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.experiments import Written, write
from tests.integration.api.fleet import wait_until
from tests.integration.openfeature import python_sdk

Json = dict[str, Any]
FLAGS = "/ofrep/v1/evaluate/flags"


@pytest.fixture
def flags(api: httpx.Client) -> Iterator[OpenFeatureClient]:
    domain = str(uuid4())
    provider = OFREPProvider(
        str(api.base_url), headers_factory=lambda: {"Authorization": f"Bearer {TOKEN}"}, timeout=30
    )
    openfeature.set_provider(provider, domain)
    yield openfeature.get_client(domain)
    openfeature.clear_providers()


def both(value: Any) -> Json:
    """The same payload in both arms, so that the value does not depend on the unit."""
    return {"a": value, "b": value}


def person(**attributes: Any) -> EvaluationContext:
    return EvaluationContext(f"user-{uuid4()}", attributes)


def test_booleans(flags: OpenFeatureClient, postgres: Server) -> None:
    flag = write(postgres, both({"value": True})).key
    details = flags.get_boolean_details(flag, False, person())
    assert (details.value, details.reason, details.error_code) == (True, Reason.SPLIT, None)
    assert details.variant in ("a", "b")
    assert details.flag_metadata["version"] == 1


def test_strings_also_the_variants_key_where_there_is_no_payload(
    flags: OpenFeatureClient, postgres: Server
) -> None:
    assert flags.get_string_value(write(postgres, both({"value": "grün"})).key, "red", person()) == "grün"
    details = flags.get_string_details(write(postgres).key, "none", person())
    assert details.value == details.variant


def test_numbers(flags: OpenFeatureClient, postgres: Server) -> None:
    assert flags.get_integer_value(write(postgres, both({"value": 42})).key, 0, person()) == 42
    assert flags.get_float_value(write(postgres, both({"value": 12.5})).key, 0.0, person()) == 12.5


def test_objects(flags: OpenFeatureClient, postgres: Server) -> None:
    payload = {"colour": "green", "sizes": [1, 2], "value": 3}
    assert flags.get_object_value(write(postgres, both(payload)).key, {}, person()) == payload
    assert flags.get_object_value(write(postgres, both({"value": payload})).key, {}, person()) == payload


def test_another_type_than_asked_for_is_the_default(flags: OpenFeatureClient, postgres: Server) -> None:
    details = flags.get_boolean_details(write(postgres, both({"value": "yes"})).key, False, person())
    assert (details.value, details.error_code) == (False, ErrorCode.TYPE_MISMATCH)


def test_an_unknown_flag_is_the_default(flags: OpenFeatureClient) -> None:
    details = flags.get_boolean_details("there-is-none", True, person())
    assert (details.value, details.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)


def test_what_does_not_run_is_the_control_and_no_flag_once_it_is_archived(
    flags: OpenFeatureClient, postgres: Server
) -> None:
    for status in ("draft", "paused"):
        details = flags.get_string_details(write(postgres, status=status).key, "x", person())
        assert (details.value, details.variant, details.reason) == ("a", "a", Reason.DISABLED)
        assert details.flag_metadata["served_by"] == "control"
    archived = write(postgres, status="archived").key
    assert flags.get_string_details(archived, "x", person()).error_code == ErrorCode.FLAG_NOT_FOUND


def test_a_missing_targeting_key_is_named(flags: OpenFeatureClient, postgres: Server) -> None:
    details = flags.get_boolean_details(write(postgres).key, True, EvaluationContext())
    assert (details.value, details.error_code) == (True, ErrorCode.TARGETING_KEY_MISSING)


def test_a_targeting_key_that_breaks_a_rule_is_named(flags: OpenFeatureClient, postgres: Server) -> None:
    details = flags.get_boolean_details(write(postgres).key, True, EvaluationContext("x" * 300))
    assert (details.value, details.error_code) == (True, ErrorCode.INVALID_CONTEXT)


def test_a_unit_without_a_variant_gets_the_applications_default(
    flags: OpenFeatureClient, postgres: Server
) -> None:
    flag = write(postgres, both({"value": "shown"}), targeting='attributes.plan == "pro"', outside="null").key
    outside = flags.get_string_details(flag, "default", person(plan="free"))
    assert (outside.value, outside.reason) == ("default", Reason.DEFAULT)
    assert outside.flag_metadata["reason"] == "not_targeted"
    assert flags.get_string_value(flag, "default", person(plan="pro")) == "shown"


def test_a_used_flag_is_an_exposure(flags: OpenFeatureClient, postgres: Server) -> None:
    flag, who = write(postgres), person()
    for _ in range(2):
        flags.get_string_value(flag.key, "", who)
    assert exposures(postgres, flag) == 1


def test_the_code_on_the_page_reads_a_flag(api: httpx.Client, postgres: Server) -> None:
    flag = write(
        postgres,
        both({"value": "green"}),
        key="button-colour",
        targeting='attributes.country == "DE"',
        outside="null",
    )
    wait_until(lambda: "button-colour" in api.get("/v1/configuration").text, "the experiment is known")
    client = python_sdk.start_flags(str(api.base_url), TOKEN)
    try:
        assert python_sdk.colour_for(client, f"user-{uuid4()}", "DE") == "green"
        assert python_sdk.colour_for(client, f"user-{uuid4()}", "FR") == "blue"
        assert exposures(postgres, flag) == 1
    finally:
        openfeature.clear_providers()


def exposures(postgres: Server, flag: Written) -> int:
    with psycopg.connect(postgres.dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM events WHERE experiment_id = %s AND event_type = 'exposure'", (flag.number,)
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_value_of_null_is_the_applications_default(flags: OpenFeatureClient, postgres: Server) -> None:
    """In every type: it is none of them. The unit is in the experiment all the same."""
    flag = write(postgres, both({"value": None}))
    for details in (
        flags.get_boolean_details(flag.key, True, person()),
        flags.get_string_details(flag.key, "x", person()),
        flags.get_object_details(flag.key, {"a": 1}, person()),
    ):
        assert (details.reason, details.error_code) == (Reason.SPLIT, None)
        assert details.variant in ("a", "b")
        assert details.value in (True, "x", {"a": 1})
    assert exposures(postgres, flag) == 3


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_a_tag_is_known_in_every_form_it_comes_in(api: httpx.Client, form: str) -> None:
    body = {"context": {"targetingKey": "u", "unit_type": f"kind-{uuid4()}"}}
    tag = api.post(FLAGS, json=body).headers["etag"]
    for one in (tag, tag.strip('"')):
        assert api.post(FLAGS, json=body, headers={"If-None-Match": form.format(one)}).status_code == 304


@pytest.mark.parametrize("header", ["nonsense", '"open', "W/", ',,"', "x" * 3_000])
def test_a_tag_that_means_nothing_is_answered_in_full(api: httpx.Client, header: str) -> None:
    body = {"context": {"targetingKey": "u"}}
    assert api.post(FLAGS, json=body, headers={"If-None-Match": header}).status_code == 200


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (FLAGS, {"Authorization": ""}, 401),
        (f"{FLAGS}/a-flag", {"Authorization": "Bearer wrong"}, 401),
        ("/ofrep/v1/nothing", {}, 404),
        (f"{FLAGS}/a-flag", {"Content-Type": "application/x-ndjson"}, 415),
        (f"{FLAGS}/a-flag", {"Content-Encoding": "brainfuck"}, 415),
    ],
)
def test_every_refusal_is_told_in_the_protocols_words(
    api: httpx.Client, path: str, headers: dict[str, str], status: int
) -> None:
    usual = {"Content-Type": "application/json"}
    answer = api.post(path, content=b'{"context": {"targetingKey": "u"}}', headers=usual | headers)
    said = answer.json()
    assert answer.status_code == status, answer.text
    assert (said["errorDetails"], said["status"]) == (said["detail"], status)
    assert said["errorCode"] == ("GENERAL" if status in (401, 404) else "PARSE_ERROR")
    assert said.get("key") == ("a-flag" if path.endswith("a-flag") else None)


def test_a_body_that_is_too_large_is_a_400(api: httpx.Client) -> None:
    body = {"context": {"targetingKey": "u", "much": "x" * 2_000_000}}
    answer = api.post(FLAGS, json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "INVALID_CONTEXT")


def test_a_key_that_no_experiment_can_have_is_not_found(api: httpx.Client) -> None:
    answer = api.post(f"{FLAGS}/{'x' * 300}", json={"context": {"targetingKey": "u"}})
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "FLAG_NOT_FOUND")


def test_all_flags_at_once_carry_a_tag_and_expose_nobody(api: httpx.Client, postgres: Server) -> None:
    kind = f"kind-{uuid4()}"
    one = write(postgres, both({"value": 1}), unit_type=kind)
    two = write(postgres, unit_type=kind, allocation=0)
    body = {"context": {"targetingKey": "u", "unit_type": kind}}
    wait_until(lambda: len(api.post(FLAGS, json=body).json()["flags"]) == 2, "both are known")
    answer = api.post(FLAGS, json=body)
    first, second = answer.json()["flags"]
    assert (first["key"], first["value"], first["reason"]) == (one.key, 1, "SPLIT")
    assert (second["key"], second["reason"], second["metadata"]["reason"]) == (
        two.key,
        "DEFAULT",
        "not_in_allocation",
    )
    assert (second["variant"], second["value"]) == ("a", "a")
    assert (second["metadata"]["served_by"], second["metadata"]["in_experiment"]) == ("control", False)
    again = api.post(FLAGS, json=body, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = {"context": body["context"] | {"targetingKey": "other"}}
    assert api.post(FLAGS, json=other, headers={"If-None-Match": '"x"'}).status_code == 200
    assert exposures(postgres, one) == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "PARSE_ERROR"),
        (b"[1]", "INVALID_CONTEXT"),
        (b'{"context": 1}', "INVALID_CONTEXT"),
        (b"{}", "TARGETING_KEY_MISSING"),
        (b'{"context": {"targetingKey": ""}}', "TARGETING_KEY_MISSING"),
        (b'{"context": {"targetingKey": 7}}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": "u", "n": 1e400}}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": "u", "n": 123456789012345678901234567890}}', "INVALID_CONTEXT"),
    ],
)
def test_a_context_that_can_not_be_read_is_a_400_in_the_protocols_words(
    api: httpx.Client, postgres: Server, body: bytes, code: str
) -> None:
    key = write(postgres).key
    for path in (FLAGS, f"{FLAGS}/{key}"):
        answer = api.post(path, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["errorCode"]) == (400, code), answer.text
        assert answer.json()["errorDetails"]
        assert answer.json().get("key") == (None if path == FLAGS else key)
