"""With `NEONBLUE_API_USER_ID_HASH_KEY` the client's ids are stored nowhere, and everything works by them."""

from __future__ import annotations

import hashlib
import hmac
from uuid import uuid4

import psycopg
from pydantic import SecretStr

from tests.integration.api.fleet import wait_until
from tests.integration.api.people.conftest import Place, another_api
from tests.integration.api.people.test_erasure import assign, erase, new_experiment, receipt_of, send
from tests.integration.scanning import in_clickhouse, in_postgres, in_valkey

KEY = "a key of this test"


def test_the_client_sees_its_ids_and_the_stores_only_hashes(place: Place) -> None:
    user = f"person-{uuid4()}"
    stored = hmac.new(KEY.encode(), user.encode(), hashlib.sha256).hexdigest()
    dsn, valkey = place.settings.postgres.dsn(), place.settings.valkey.dsn
    with another_api(place.settings, user_id_hash_key=SecretStr(KEY)) as api:
        experiment = new_experiment(api)
        first = assign(api, experiment, user, attributes={"country": "DE"})
        assert (first["user_id"], first["created"]) == (user, True)
        assert assign(api, experiment, user)["created"] is False
        batch = [{"experiment": experiment, "user_id": user}, {"experiment": experiment, "user_id": user}]
        items = api.post("/v1/assignments", json=batch).json()["items"]
        assert {(item["user_id"], item["variant_key"]) for item in items} == {(user, first["variant_key"])}
        send(api, user, experiment=experiment)
        api.patch(f"/v1/users/{user}", json={"attributes": {"plan": "pro"}}).raise_for_status()
        assert api.get(f"/v1/users/{user}").json()["attributes"] == {"country": "DE", "plan": "pro"}
        export = api.get(f"/v1/users/{user}/export").json()
        assert (export["user_id"], export["stored_id"]) == (user, stored)
        assert {row["user_id"] for row in [*export["events"], *export["assignments"]]} == {stored}
        place.stream.carry()
        wait_until(lambda: bool(in_valkey(valkey, [stored])), "Valkey holds the assignment")

        assert in_postgres(dsn, [user]) | in_valkey(valkey, [user]) == set()  # the outbox too
        assert in_clickhouse(place.clickhouse, [user]) == set()
        with psycopg.connect(dsn) as postgres:
            query = "SELECT variant_key FROM events WHERE user_id = %s AND event_type = 'purchase'"
            assert postgres.execute(query, (stored,)).fetchall() == [(first["variant_key"],)]

        erasure = erase(api, user)
        place.stream.carry()
        wait_until(lambda: receipt_of(api, erasure)["state"] == "retained", "the hash is erased")
    gone = in_postgres(dsn, [stored], skip=("outbox_events",)) | in_valkey(valkey, [stored])
    assert gone | in_clickhouse(place.clickhouse, [stored]) == set()


def test_the_variant_is_that_of_the_clients_id(place: Place) -> None:
    """So a client that evaluates locally, without the key, agrees with the server."""
    salt = uuid4().hex
    users = [f"person-{number}" for number in range(20)]

    def variants(api_of: Place | None) -> list[str]:
        with another_api(place.settings, user_id_hash_key=SecretStr(KEY if api_of is None else "")) as api:
            key = f"experiment-{uuid4()}"
            arms = [{"key": "a", "weight": 1, "is_control": True}, {"key": "b", "weight": 1}]
            api.post("/v1/experiments", json={"key": key, "variants": arms, "salt": salt}).raise_for_status()
            api.post(f"/v1/experiments/{key}/start").raise_for_status()
            return [assign(api, key, user)["variant_key"] for user in users]

    assert variants(None) == variants(place)
