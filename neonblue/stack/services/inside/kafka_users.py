"""Makes users and rules (ACLs) on Kafka: the platform's at each start, and those of consumers that the owner adds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from neonblue.settings import Settings
from neonblue.settings.kafka import PARTS
from neonblue.stack.services import kafka_access
from neonblue.stack.services.kafka_access import Grant

_SECONDS = 10.0
_MECHANISM = ScramMechanism.SCRAM_SHA_512
_ITERATIONS = 4096
"""The least that Kafka takes: generated passwords need no slow hash, and each sign-in pays for it."""


def set_up(client: AdminClient, settings: Settings) -> None:
    """Give the platform's users the passwords of `settings` and exactly the rights that they use. Repeatable.

    Raises KafkaException.
    """
    kafka = settings.kafka
    put(client, {kafka.user_of(part): kafka.password_of(part) for part in PARTS if kafka.password_of(part)})
    for user, grants in kafka_access.platform(settings).items():
        grant(client, user, grants)


def put(client: AdminClient, passwords: Mapping[str, str]) -> None:
    """Make users with these passwords, or give them these from now on."""
    information = ScramCredentialInfo(_MECHANISM, _ITERATIONS)
    _wait(
        client.alter_user_scram_credentials(
            [
                UserScramCredentialUpsertion(user, information, password.encode())
                for user, password in passwords.items()
            ],
            request_timeout=_SECONDS,
        ).values()
    )


def grant(client: AdminClient, user: str, grants: frozenset[Grant]) -> None:
    """Let a user do these things, and no other."""
    wanted = {_binding(user, one) for one in grants}
    present = set(_bindings(client, user))
    if new := wanted - present:
        _wait(client.create_acls(list(new), request_timeout=_SECONDS).values())
    if old := present - wanted:
        _wait(client.delete_acls([_only(binding) for binding in old], request_timeout=_SECONDS).values())


def consumers(client: AdminClient) -> dict[str, tuple[str, ...]]:
    """The users that the owner added, each with the prefixes of its groups."""
    # Asked for all users, it is one future.
    described: Any = client.describe_user_scram_credentials(request_timeout=_SECONDS)
    names = sorted(
        name for name in described.result(timeout=2 * _SECONDS) if not name.startswith(kafka_access.RESERVED)
    )
    return {
        name: tuple(sorted(one.name for one in _bindings(client, name) if one.restype == ResourceType.GROUP))
        for name in names
    }


def remove(client: AdminClient, user: str) -> None:
    """Take a user's password and rights. Raises KafkaException where there is no such user."""
    grant(client, user, frozenset())
    _wait(
        client.alter_user_scram_credentials(
            [UserScramCredentialDeletion(user, _MECHANISM)], request_timeout=_SECONDS
        ).values()
    )


def _bindings(client: AdminClient, user: str) -> list[AclBinding]:
    """Every rule for this user alone."""
    every = AclBindingFilter(
        ResourceType.ANY,
        None,  # type: ignore[arg-type]
        ResourcePatternType.ANY,
        f"User:{user}",
        None,  # type: ignore[arg-type]
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    found: list[AclBinding] = client.describe_acls(every, request_timeout=_SECONDS).result(
        timeout=2 * _SECONDS
    )
    return found


def _binding(user: str, one: Grant) -> AclBinding:
    return AclBinding(
        ResourceType[one.kind],
        one.name,
        ResourcePatternType.PREFIXED if one.prefixed else ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[one.operation],
        AclPermissionType.ALLOW,
    )


def _only(binding: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )


def _wait(pending: Iterable[Future[Any]]) -> None:
    for future in pending:
        future.result(timeout=2 * _SECONDS)
