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


def test_links_forced_variants_and_evaluation_go_by_the_hash(place: Place) -> None:
    user, anonymous, tester = (f"{kind}-{uuid4()}" for kind in ("person", "cookie", "tester"))
    with another_api(place.settings, user_id_hash_key=SecretStr(KEY)) as api:
        experiment = new_experiment(api)
        forced = {"user_id": tester, "variant_key": "b"}
        api.put(f"/v1/experiments/{experiment}/forced-variants", json=forced).raise_for_status()
        wait_until(
            lambda: assign(api, experiment, tester).get("reason") == "forced", "the tester sees its variant"
        )
        first = assign(api, experiment, anonymous)
        link = {"anonymous_id": anonymous, "user_id": user}
        assert api.post("/v1/users/links", json=link).json()["adopted"] == [experiment]
        stored = api.get("/v1/assignments", params={"user_id": user}).raise_for_status().json()
        assert stored["user_id"] == user
        assert [item["variant_key"] for item in stored["items"]] == [first["variant_key"]]
        evaluated = api.post(
            f"/ofrep/v1/evaluate/flags/{experiment}", json={"context": {"targetingKey": user}}
        )
        assert evaluated.raise_for_status().json()["variant"] == first["variant_key"]
        place.stream.carry()

        ids = (user, anonymous, tester)
        assert in_postgres(place.settings.postgres.dsn(), ids) == set()
        assert in_clickhouse(place.clickhouse, ids) | in_valkey(place.settings.valkey.dsn, ids) == set()
