"""Addresses of services, as settings hold them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr


def _address(*schemes: str, such_as: str) -> AfterValidator:
    """Takes an address of one of these schemes, with a host. The error is the rule in words."""

    def check(value: str | SecretStr) -> str | SecretStr:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        try:
            parts = urlsplit(text)
            good = parts.scheme in schemes and bool(parts.netloc or parts.query) and parts.port != 0
        except ValueError:
            good = False
        if not good or any(letter.isspace() for letter in text):
            raise ValueError(f"an address such as {such_as}")
        return value

    return AfterValidator(check)


WebAddress = Annotated[str, _address("http", "https", such_as="http://127.0.0.1:8123")]
PostgresAddress = Annotated[
    SecretStr, _address("postgresql", such_as="postgresql://user:password@host:5432/database")
]
ValkeyAddress = Annotated[
    SecretStr, _address("redis", "rediss", "unix", such_as="redis://:password@host:6379/0")
]
KafkaAddress = Annotated[str, Field(pattern=r"^\S+:\d+$")]


def without_credentials(address: str) -> str:
    """The address of a service as it may be shown."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "://" in address else address
