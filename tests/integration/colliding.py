"""Erased people whose 64-bit keys collide. No two such ids are known, so their rows are written by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from clickhouse_connect.driver.client import Client

LOWEST, HIGHEST = bytes(32), b"\xff" * 32
"""People of nobody's id, sorted before and behind any other."""


def digest(user_id: str, unit_type: str = "user") -> bytes:
    return hashlib.sha256(f"{unit_type}\0{user_id}".encode()).digest()


def insert_erased(
    client: Client, user_id: str, people: Mapping[bytes, datetime], unit_type: str = "user"
) -> None:
    """Erasures of these people, with the times, all under the key of `user_id`, in this order."""
    for person, erased_at in people.items():
        client.command(
            "INSERT INTO erased_users (unit_type, person, person_key, erased_at, received_at, ingested_at) "
            "SELECT {unit_type:String}, unhex({person:String}), cityHash64({unit_type:String}, {user_id:String}), "
            "{at:DateTime64(6, 'UTC')}, {at:DateTime64(6, 'UTC')}, now64(3, 'UTC')",
            parameters={"unit_type": unit_type, "user_id": user_id, "person": person.hex(), "at": erased_at},
        )
