"""`neonblue token` against the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

from tests.integration.api.commands.conftest import Run, words
from tests.integration.api.conftest import Server


def test_the_secret_stands_alone_on_standard_output_and_works(run: Run, api: httpx.Client) -> None:
    done = run("token", "create", "--name", "web shop", "--scope", "viewer", "--scope", "ingest")

    secret = done.stdout.removesuffix("\n")
    assert secret.startswith("neonblue_sk_")
    assert secret.split() == [secret]
    assert secret not in done.stderr
    assert "'web shop': viewer, ingest, until" in words(done.stderr)
    answer = api.get("/v1/experiments", headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code == 200


def test_a_publishable_token_says_where_it_works(run: Run, api: httpx.Client) -> None:
    done = run(
        "token", "create", "--name", "page", "--scope", "assign", "--origin", "https://shop.example.com",
        "--expires", "never", "--rate-limit", "7", "--json",
    )  # fmt: skip

    made = json.loads(done.stdout)
    assert made["secret"].startswith("neonblue_pk_")
    assert (made["origins"], made["expires_at"], made["rate_limit"]) == (
        ["https://shop.example.com"],
        None,
        7,
    )
    told = run(
        "token", "create", "--name", "page", "--scope", "assign", "--origin", "https://shop.example.com"
    )
    assert "it works from pages of https://shop.example.com and nowhere else" in words(told.stderr)


def test_a_token_expires_when_it_is_said_to(run: Run, api: httpx.Client) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    by_day = run("token", "create", "--name", "a", "--scope", "viewer", "--expires", str(tomorrow), "--json")
    by_length = run("token", "create", "--name", "a", "--scope", "viewer", "--expires", "90d", "--json")

    assert json.loads(by_day.stdout)["expires_at"] == f"{tomorrow}T00:00:00Z"
    until = datetime.fromisoformat(json.loads(by_length.stdout)["expires_at"])
    assert abs(until - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("options", "exit_code", "message"),
    [
        (["--expires", "soon"], 2, "--expires: 'soon' is no day"),
        (["--expires", "2020-01-01"], 2, "--expires: 2020-01-01 has begun already"),
        (["--expires", "9999d"], 1, "expires_at:"),
        (["--scope", "root"], 1, "scopes.1:"),
        (
            ["--scope", "admin", "--origin", "https://a.example"],
            1,
            "a publishable token has the scopes ingest and assign",
        ),
        (["--origin", "a.example"], 1, "origins.0:"),
        (["--rate-limit", "0"], 1, "rate_limit:"),
    ],
)
def test_a_token_that_breaks_a_rule_is_not_made(
    run: Run, options: list[str], exit_code: int, message: str
) -> None:
    done = run("token", "create", "--name", "a", "--scope", "ingest", *options)

    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert message in words(done.stderr)


def test_tokens_are_listed_and_revoked(run: Run, api: httpx.Client) -> None:
    made = json.loads(run("token", "create", "--name", "short", "--scope", "viewer", "--json").stdout)
    number = str(made["id"])

    listed = words(run("token", "list").stdout)
    assert f"{number} short valid viewer" in listed
    assert "bootstrap" in listed
    assert made["secret"] not in listed
    asked = run("token", "revoke", number)
    assert asked.exit_code == 2
    assert f"Revoke token {number}, 'short', for good?" in words(asked.stderr)

    assert run("token", "revoke", number, "--yes").stdout == f"token {number}, 'short', is revoked\n"

    assert f"{number} short revoked viewer" in words(run("token", "list").stdout)
    answer = api.get("/v1/experiments", headers={"authorization": f"Bearer {made['secret']}"})
    assert answer.status_code == 401
    assert "There is no such token" in words(run("token", "revoke", "999999", "--yes").stderr)


@pytest.fixture
def one_administrator(postgres: Server) -> Iterator[int]:
    """The token of the stack, while those that other tests made are revoked."""
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        (first,) = connection.execute("SELECT min(id) FROM api_tokens").fetchone() or (0,)
        others = connection.execute(
            "UPDATE api_tokens SET revoked_at = now() "
            "WHERE id <> %s AND revoked_at IS NULL AND 'admin' = ANY(scopes) RETURNING id",
            (first,),
        ).fetchall()
        yield first
        connection.execute(
            "UPDATE api_tokens SET revoked_at = NULL WHERE id = ANY(%s)", ([found for (found,) in others],)
        )


def test_the_last_administrator_can_not_be_revoked(run: Run, one_administrator: int) -> None:
    done = run("token", "revoke", str(one_administrator), "--yes")

    assert done.exit_code == 1
    assert "Make another token with the scope admin first" in words(done.stderr)
