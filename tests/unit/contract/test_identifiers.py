"""Event ids."""

from __future__ import annotations

import secrets
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.contract.identifiers import canonical_uuid, uuid7, uuid7_milliseconds


@given(milliseconds=st.integers(0, 2**48 - 1))
def test_an_id_is_of_version_7_and_starts_with_its_time(milliseconds: int) -> None:
    made = uuid7(milliseconds)

    assert UUID(made).version == 7
    assert UUID(made).variant == RFC_4122
    assert uuid7_milliseconds(made) == milliseconds
    assert canonical_uuid(made) == made


def test_the_example_of_the_rfc(monkeypatch: pytest.MonkeyPatch) -> None:
    # RFC 9562, A.6: time 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    rand_a, rand_b = 0xCC3, 0x18C4DC0C0C07398F
    bits = (rand_b >> 60) << 72 | rand_a << 60 | (rand_b & (1 << 60) - 1)
    monkeypatch.setattr(secrets, "randbits", lambda _: bits)

    assert uuid7(0x017F22E279B0) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_ids_of_one_millisecond_differ() -> None:
    assert len({uuid7(1) for _ in range(10_000)}) == 10_000
