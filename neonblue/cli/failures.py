"""What a command says of a failure that its user can do something about: one family of sentences for all commands.

Client libraries are told by their names, so that none of them is imported for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from neonblue.clickhouse.errors import MigrationError
from neonblue.settings import ENVIRONMENT_FILE, Settings, SettingsError
from neonblue.stack.errors import StackError
from neonblue.stack.supervisor import folder_lock

_OURS = ("neonblue", "api", "orchestration")
_ENGINE = re.compile(
    r"Code: (\d+)\. DB::Exception: (.*?)(?: \(version [^()]*(?:\([^()]*\))?[^()]*\))?$", re.DOTALL
)
_SEVERITY = re.compile(r"^(?:FATAL|ERROR):\s*")
_NOT_AUTHENTICATED = "516"


@dataclass(frozen=True, slots=True)
class Place:
    """A service as a person knows it: its name, where it is, the setting that makes it an external one."""

    name: str
    address: str
    external: bool
    setting: str


def places(settings: Settings) -> dict[str, Place]:
    """By the service's name in the stack."""
    postgres = urlsplit(settings.postgres.dsn())
    return {
        "api": Place("the API", settings.api.address, settings.api.external, "NEONBLUE_API_URL"),
        "clickhouse": Place(
            "ClickHouse", settings.clickhouse.address, settings.clickhouse.external, "NEONBLUE_CLICKHOUSE_URL"
        ),
        "postgres": Place(
            "PostgreSQL",
            f"{postgres.hostname}:{postgres.port or 5432}",
            settings.postgres.external,
            "NEONBLUE_POSTGRES_URL",
        ),
        "dagster": Place(
            "Dagster", settings.dagster.address, settings.dagster.external, "NEONBLUE_DAGSTER_URL"
        ),
        "kafka": Place(
            "Kafka", settings.kafka.address, settings.kafka.external, "NEONBLUE_KAFKA_BOOTSTRAP_SERVERS"
        ),
        "valkey": Place("Valkey", "its address", settings.valkey.external, "NEONBLUE_VALKEY_URL"),
    }


def no_stack(settings: Settings) -> str:
    """What to do in a folder where no stack was ever started."""
    return (
        f"there is no stack in {settings.data_dir}: name its folder with --data-dir or NEONBLUE_DATA_DIR, "
        "or start one here with 'neonblue up'"
    )


def has_stack(settings: Settings) -> bool:
    """Whether a stack was ever started in the data folder."""
    return (settings.data_dir / ENVIRONMENT_FILE).is_file()


def unanswered(settings: Settings, service: str, reason: str) -> str:
    """What is known of a service of the stack that gives no answer, and what to do."""
    place = places(settings)[service]
    said = f"{place.name} does not answer at {place.address} ({reason})"
    if place.external:
        return f"{said}: it is an external one; see that it runs, and that {place.setting} is right"
    if not has_stack(settings):
        return f"{said}: {no_stack(settings)}"
    if folder_lock.holder(settings.data_dir) is None:
        return f"{said}: the stack in {settings.data_dir} does not run; start it with 'neonblue up'"
    return f"{said}, though the stack in {settings.data_dir} runs: see 'neonblue status', 'neonblue logs {service}'"


def refused(settings: Settings, service: str) -> str:
    """A service that runs, and does not take the stack's password."""
    place, file = places(settings)[service], settings.data_dir / ENVIRONMENT_FILE
    return (
        f"{place.name} at {place.address} does not take the password of {file}: does another stack listen there? "
        "Name its folder with --data-dir or NEONBLUE_DATA_DIR"
    )


def sentence(error: BaseException, settings: Settings | None, command: str) -> str | None:
    """What to say of `error`, which has ended `command`; None of a defect, which keeps its traceback."""
    if isinstance(error, SettingsError | StackError | MigrationError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return _missing(error, command)
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        return f"{error.object[:60]!r} is not UTF-8: the API and the stores take nothing else"
    if isinstance(error, BaseExceptionGroup):
        return next((said for one in error.exceptions if (said := sentence(one, settings, command))), None)
    said = _of_a_client(error, settings)
    if said is not None:
        return said
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return None


def _missing(error: ModuleNotFoundError, command: str) -> str | None:
    name = (error.name or "").partition(".")[0]
    if not name or name in _OURS:
        return None
    return f"'neonblue {command}' needs {name}, which is not installed: pip install 'neonblue[all]'"


def _of_a_client(error: BaseException, settings: Settings | None) -> str | None:
    if settings is None:
        return None
    if type(error).__module__.startswith("neonblue.client."):
        away = getattr(error, "code", "") == "unavailable"
        return unanswered(settings, "api", reason(error)) if away else str(error)
    library = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    if "sqlalchemy" in library and isinstance(original := getattr(error, "orig", None), Exception):
        return _of_a_client(original, settings)
    if "psycopg" in library:
        return _of_postgres(error, settings)
    if library & {"clickhouse_connect", "urllib3"}:
        return _of_clickhouse_client(error, settings)
    if library & {"httpx", "httpcore"}:
        return unanswered(settings, _asked(error, settings), reason(error))
    if "redis" in library:
        return unanswered(settings, "valkey", reason(error))
    if "confluent_kafka" in library or "cimpl" in library:
        return unanswered(settings, "kafka", reason(error))
    return None


def _of_postgres(error: BaseException, settings: Settings) -> str:
    text = str(error).strip()
    if "password authentication failed" in text or "no password supplied" in text:
        return refused(settings, "postgres")
    if type(error).__name__ in ("OperationalError", "ConnectionTimeout"):
        first = text.partition("\n")[0].rpartition("failed: ")[2]
        return unanswered(settings, "postgres", _SEVERITY.sub("", first) or reason(error))
    hint = "; is its schema up to date? 'neonblue migrate'" if "does not exist" in text else ""
    return f"PostgreSQL: {text.splitlines()[0] if text else type(error).__name__}{hint}"


def _of_clickhouse_client(error: BaseException, settings: Settings) -> str:
    text = str(error)
    return (
        of_clickhouse(text, settings)
        if _ENGINE.search(text)
        else unanswered(settings, "clickhouse", reason(error))
    )


def of_clickhouse(text: str, settings: Settings) -> str:
    """ClickHouse's own words on a query, without its code and version; of a wrong password, what to do."""
    found = _ENGINE.search(text.strip())
    if found is not None and found[1] == _NOT_AUTHENTICATED:
        return refused(settings, "clickhouse")
    return f"ClickHouse: {found[2].strip() if found else text.strip()}"


def _asked(error: BaseException, settings: Settings) -> str:
    """Which service an HTTP request went to."""
    try:
        url = str(error.request.url)  # type: ignore[attr-defined]
    except (AttributeError, RuntimeError):
        return "api"
    known = {name: place.address for name, place in places(settings).items() if "://" in place.address}
    return next((name for name, address in known.items() if url.startswith(address)), "api")


def reason(error: BaseException) -> str:
    """The first cause, in a few words: what the libraries between say of it is long."""
    causes = list(_causes(error))
    if any("timeout" in type(cause).__name__.lower() for cause in causes):
        return "no answer in time"
    for cause in reversed(causes):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    lines = str(causes[-1]).strip().splitlines()
    return re.sub(r"^\[Errno -?\d+\] ", "", lines[0])[:200] if lines else type(causes[-1]).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
