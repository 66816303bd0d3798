from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from neonblue.client import uuid7


@given(milliseconds=st.integers(0, 2**48 - 1), randomness=st.binary(min_size=10, max_size=10))
def test_an_id_is_of_version_7_and_starts_with_its_time(milliseconds: int, randomness: bytes) -> None:
    made = uuid7(milliseconds, randomness)

    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == milliseconds


def test_the_example_of_the_rfc() -> None:
    # RFC 9562, A.6: time 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    randomness = ((0xCC3 << 62) | 0x18C4DC0C0C07398F).to_bytes(10, "big")

    assert uuid7(0x017F22E279B0, randomness) == UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")


def test_ids_of_one_millisecond_differ() -> None:
    assert len({uuid7(1) for _ in range(10_000)}) == 10_000
