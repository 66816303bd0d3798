"""Addresses of services, as settings hold them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, NamedTuple
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


Network = IPv4Network | IPv6Network


def networks_of(proxies: str) -> list[Network]:
    """The networks in a list of addresses and networks; `*` names none. Raises ValueError."""
    given = [part.strip() for part in proxies.split(",") if part.strip()]
    try:
        return [ip_network(part) for part in given if given != ["*"]]
    except ValueError as error:
        raise ValueError(f"addresses and networks such as 10.0.0.7,10.1.0.0/16: {error}") from None


def _proxies(value: str) -> str:
    networks_of(value)
    return value


WebAddress = Annotated[str, _address("http", "https", such_as="http://127.0.0.1:8123")]
PostgresAddress = Annotated[
    SecretStr, _address("postgresql", such_as="postgresql://user:password@host:5432/database")
]
ValkeyAddress = Annotated[
    SecretStr, _address("redis", "rediss", "unix", such_as="redis://:password@host:6379/0")
]
Proxies = Annotated[str, AfterValidator(_proxies)]
KafkaAddress = Annotated[str, Field(pattern=r"^\S+:\d+$")]


class Endpoint(NamedTuple):
    """Where an HTTP interface is; secure: by TLS."""

    host: str
    port: int
    secure: bool


def endpoint(address: str, *, port: int, secure_port: int) -> Endpoint:
    """Where an address of http or https leads; one that names no port: to `port`, with TLS to `secure_port`."""
    parts = urlsplit(address)
    secure = parts.scheme == "https"
    return Endpoint(parts.hostname or "127.0.0.1", parts.port or (secure_port if secure else port), secure)


def without_credentials(address: str) -> str:
    """The address of a service as it may be shown."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "://" in address else address
