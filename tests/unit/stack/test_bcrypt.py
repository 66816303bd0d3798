"""Hashes of passwords for Prometheus' programs."""

from __future__ import annotations

from neonblue.stack.services.bcrypt import _library, hashed


def test_a_hash_is_made_again_from_its_own_password_alone() -> None:
    made = hashed("påssword")

    assert made != hashed("påssword")
    assert _library().crypt("påssword".encode(), made.encode()) == made.encode()
    assert _library().crypt(b"another", made.encode()) != made.encode()


def test_a_known_hash_is_made() -> None:
    """Of the tests of crypt_blowfish."""
    known = b"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

    assert _library().crypt(b"U*U", known) == known
