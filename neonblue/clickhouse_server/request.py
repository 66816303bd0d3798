"""A request's parameters, headers and user, as values."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from neonblue.clickhouse_server import compression
from neonblue.clickhouse_server.errors import (
    AUTHENTICATION_FAILED,
    BAD_ARGUMENTS,
    INVALID_SESSION_TIMEOUT,
    NOT_IMPLEMENTED,
    UNKNOWN_FORMAT,
    ClickHouseError,
)
from neonblue.clickhouse_server.limits import is_time_zone
from neonblue.clickhouse_server.settings import Credentials, ServerSettings

# Parameters of ClickHouse's HTTP handler that are no settings of a query.
_OWN = frozenset(
    [
        "query",
        "database",
        "default_format",
        "session_id",
        "session_timeout",
        "session_check",
        "close_session",
        "user",
        "password",
        "query_id",
        "quota_key",
        "compress",
        "decompress",
        "buffer_size",
        "wait_end_of_query",
        "stacktrace",
        "role",
        "client_protocol_version",
    ]
)
# Settings that steer the handler rather than the engine. `log_comment` marks our connections.
OF_TRANSPORT = frozenset(
    [
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "enable_http_compression",
        "http_zlib_compression_level",
        "cancel_http_readonly_queries_on_client_close",
        "http_native_compression_disable_checksumming_on_decompress",
        "add_http_cors_header",
        "http_response_headers",
        "http_wait_end_of_query",
        "http_response_buffer_size",
        "log_comment",
    ]
)


_MAX_QUERY_ID = 256
_MAX_VERSION_DIGITS = 9
_RUN = re.compile(r"run_id=([0-9a-f-]{36})").fullmatch
_FORMAT = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """The session asked for; `timeout` in seconds, `check`: it must exist already."""

    name: str
    timeout: float
    check: bool
    close: bool


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `parameters` are the values of ``{name:Type}``, escaped as ClickHouse takes them.

    protocol_version: of which the Native format of the result is to be.
    """

    method: str
    user: Credentials
    query_id: str
    query: bytes
    database: str
    settings: Mapping[str, str]
    parameters: Mapping[str, str]
    output_format: str
    session: SessionRequest | None
    content_encoding: str
    content_type: str
    accept_encoding: str | None
    whole: bool
    protocol_version: int


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def arguments_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """The URL's parameters; of a repeated one, the first counts, as in ClickHouse."""
    pairs = parse_qsl(
        scope["query_string"].decode("latin-1"),
        keep_blank_values=True,
        errors="surrogateescape",
        max_num_fields=10_000,
    )
    return dict(reversed(pairs))


def run_of(arguments: Mapping[str, str]) -> str | None:
    """The id of the run that asks, by its query's comment. What else a comment says goes nowhere."""
    found = _RUN(arguments.get("log_comment", ""))
    return found[1] if found else None


def read(
    method: str, headers: Mapping[str, str], arguments: Mapping[str, str], settings: ServerSettings
) -> Request:
    """The request that these headers and URL parameters make.

    Raises ClickHouseError on wrong credentials and on what the server doesn't have.
    """
    user = authenticated(headers, arguments, settings.users)
    if _flag(arguments, "compress") or _flag(arguments, "decompress"):
        message = "compress=1 and decompress=1 are not available: use Accept-Encoding and Content-Encoding"
        raise ClickHouseError(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", message, 400)
    if arguments.get("role"):
        raise ClickHouseError(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", "Roles are not available", 400)
    _check_time_zone(arguments.get("session_timezone", ""))
    compressing = arguments.get("enable_http_compression", "1") not in {"0", "false"}
    return Request(
        method=method,
        user=user,
        query_id=_query_id(
            arguments.get("query_id") or headers.get("x-clickhouse-query-id") or str(uuid.uuid4())
        ),
        query=arguments.get("query", "").encode("utf-8", "surrogateescape"),
        database=arguments.get("database") or headers.get("x-clickhouse-database", ""),
        settings={n: v for n, v in arguments.items() if not _is_own(n) and n not in OF_TRANSPORT},
        parameters={n[len("param_") :]: v for n, v in arguments.items() if n.startswith("param_")},
        output_format=_format(
            headers.get("x-clickhouse-format") or arguments.get("default_format") or "TabSeparated"
        ),
        session=_session(arguments, settings),
        content_encoding=headers.get("content-encoding", "").strip().lower(),
        content_type=headers.get("content-type", ""),
        accept_encoding=compression.chosen(headers.get("accept-encoding", "")) if compressing else None,
        whole=_flag(arguments, "wait_end_of_query"),
        protocol_version=_protocol_version(arguments.get("client_protocol_version", "0")),
    )


def _protocol_version(given: str) -> int:
    if not (given.isascii() and given.isdecimal() and len(given) <= _MAX_VERSION_DIGITS):
        message = "client_protocol_version must be a number"
        raise ClickHouseError(BAD_ARGUMENTS, "BAD_ARGUMENTS", message, 400)
    return int(given)


def _query_id(given: str) -> str:
    """What a response's header can carry: printable ASCII."""
    if len(given) > _MAX_QUERY_ID or not (given.isascii() and given.isprintable()) or given != given.strip():
        message = f"query_id must be printable ASCII, without spaces around it, of at most {_MAX_QUERY_ID} characters"
        raise ClickHouseError(BAD_ARGUMENTS, "BAD_ARGUMENTS", message, 400)
    return given


def _format(name: str) -> str:
    if _FORMAT.fullmatch(name) is None:
        message = "Unknown format: a format's name has letters, digits and _ only"
        raise ClickHouseError(UNKNOWN_FORMAT, "UNKNOWN_FORMAT", message)
    return name


def _check_time_zone(name: str) -> None:
    if not is_time_zone(name):
        message = "session_timezone is no time zone: a name like Europe/Vienna is expected"
        raise ClickHouseError(BAD_ARGUMENTS, "BAD_ARGUMENTS", message, 400)


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith("param_")


def _flag(arguments: Mapping[str, str], name: str) -> bool:
    return arguments.get(name, "0") not in {"", "0", "false"}


def _session(arguments: Mapping[str, str], settings: ServerSettings) -> SessionRequest | None:
    name = arguments.get("session_id")
    if not name:
        return None
    given = arguments.get("session_timeout", str(int(settings.default_session_timeout)))
    if not given.isdecimal() or float(given) > settings.max_session_timeout:
        message = f"Invalid session timeout: '{given}', at most {int(settings.max_session_timeout)} seconds"
        raise ClickHouseError(INVALID_SESSION_TIMEOUT, "INVALID_SESSION_TIMEOUT", message, 400)
    if len(name) > 256:
        raise ClickHouseError(BAD_ARGUMENTS, "BAD_ARGUMENTS", "session_id is longer than 256 characters")
    return SessionRequest(
        name, float(given), _flag(arguments, "session_check"), _flag(arguments, "close_session")
    )


def authenticated(
    headers: Mapping[str, str], arguments: Mapping[str, str], users: Sequence[Credentials]
) -> Credentials:
    """The user of a request: X-ClickHouse-User and -Key, Basic, or the parameters user and password."""
    given = _credentials(headers, arguments)
    if given is None:
        message = "Authentication failed: a user and a password are required"
        raise ClickHouseError(AUTHENTICATION_FAILED, "AUTHENTICATION_FAILED", message, 401)
    name, password = given
    accepted = None
    for user in users:
        known = hmac.compare_digest(user.user.encode(), name.encode("utf-8", "replace"))
        right = hmac.compare_digest(user.password.encode(), password.encode("utf-8", "replace"))
        if known and right:
            accepted = user
    if accepted is None:
        message = f"{name}: Authentication failed: password is incorrect, or there is no user with such name."
        raise ClickHouseError(AUTHENTICATION_FAILED, "AUTHENTICATION_FAILED", message)
    return accepted


def _credentials(headers: Mapping[str, str], arguments: Mapping[str, str]) -> tuple[str, str] | None:
    if "x-clickhouse-user" in headers:
        return headers["x-clickhouse-user"], headers.get("x-clickhouse-key", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return name, password
    if "user" in arguments:
        return arguments["user"], arguments.get("password", "")
    return None
