"""What each role may do in PostgreSQL, in a fresh folder and in one of the version in which one role did all."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg import errors, sql
from pydantic import SecretStr
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import api.migrations
from neonblue.settings import ENVIRONMENT_FILE, Role, Settings
from neonblue.stack import Stack, env_file
from neonblue.stack.errors import ServiceError
from neonblue.stack.processes import process
from neonblue.stack.services.inside.postgres_roles import API_LIMITS, GRANTS
from neonblue.stack.services.inside.postgres_superuser import Connection
from neonblue.stack.services.postgres import Postgres
from tests.integration.stack.conftest import new_folder, settings_in
from tests.waiting import until

OLD_REVISION = "0002_experiment_looks"
SUPERUSERS = """
SELECT rolname FROM pg_roles WHERE rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls ORDER BY 1
"""
READABLE = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    AND has_table_privilege(%s, oid, %s)
"""
OWNERS = """
SELECT DISTINCT pg_get_userbyid(owner) FROM (
    SELECT relowner FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT proowner FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT typowner FROM pg_type WHERE typnamespace = 'public'::regnamespace
    UNION ALL SELECT nspowner FROM pg_namespace WHERE nspname = 'public'
    UNION ALL SELECT pubowner FROM pg_publication
) AS owners (owner)
"""


def connected(settings: Settings, role: Role | None = None, database: str | None = None) -> Connection:
    """As the role; None: the superuser."""
    postgres = settings.postgres if role is None else settings.postgres.acting(role)
    assert role is None or postgres.user == role.login
    return psycopg.connect(postgres.dsn(database), autocommit=True, connect_timeout=5)


def values(connection: Connection, query: str, *parameters: object) -> set[object]:
    return {row[0] for row in connection.execute(query, parameters)}  # type: ignore[arg-type]


def fresh(settings: Settings) -> Settings:
    return settings


def of_the_version_before(settings: Settings) -> Settings:
    """The folder as one superuser left it, and its file without what came later."""
    service = Postgres(settings)
    service.prepare()
    running = process.start(service.command(), settings.data_dir / "old.log")
    try:
        until(lambda: _answers(service), "the old server answers")
        with connected(settings, database="postgres") as connection:
            connection.execute("CREATE DATABASE neonblue")
            connection.execute("CREATE DATABASE dagster")
            connection.execute("CREATE ROLE analyst LOGIN PASSWORD 'chosen'")
        _migrate_to(settings.postgres.dsn(), OLD_REVISION)
        with connected(settings) as connection:
            for statement in OLD_CONTENT:
                connection.execute(statement)
        with connected(settings, database="dagster") as connection:
            connection.execute("CREATE TABLE runs (id bigserial PRIMARY KEY, body text)")
            connection.execute("INSERT INTO runs (body) VALUES ('kept')")
    finally:
        running.end(30)
    file = settings.data_dir / ENVIRONMENT_FILE
    later = re.compile("NEONBLUE_(POSTGRES_[A-Z]+_PASSWORD|CONNECT_(USER|PASSWORD))=")
    file.write_text("".join(line for line in file.read_text().splitlines(True) if not later.match(line)))
    return Settings.load(settings.data_dir)


OLD_CONTENT = (
    "INSERT INTO heartbeat DEFAULT VALUES",
    "CREATE TABLE events_old PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')",
    "INSERT INTO events (day, id, timestamp, received_at, user_id, unit_type, event_type) "
    "VALUES ('2020-01-01', gen_random_uuid(), now(), now(), 'u', 'user', 'click')",
    "CREATE TABLE outbox_old PARTITION OF outbox_events FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')",
    "CREATE VIEW clicks AS SELECT * FROM events",
    "GRANT SELECT ON clicks TO analyst",
    'CREATE SCHEMA "Of the team"',
    'CREATE TABLE "Of the team".notes AS SELECT 1 AS note',
)


def _answers(service: Postgres) -> bool:
    try:
        service.check()
    except psycopg.Error:
        return False
    return True


def _migrate_to(dsn: str, revision: str) -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(api.migrations.__file__).parent))
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    with engine.connect() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)


@pytest.fixture(scope="module", params=[fresh, of_the_version_before])
def place(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """A running PostgreSQL with its schema."""
    settings = settings_in(new_folder())
    make: Callable[[Settings], Settings] = request.param
    with Stack(make(settings), services={"postgres"}) as stack:
        stack.wait_ready()
        yield stack.settings


def test_the_superuser_is_the_only_role_of_power(place: Settings) -> None:
    with connected(place) as connection:
        assert values(connection, SUPERUSERS) == {"neonblue"}
        replicate = values(connection, "SELECT rolname FROM pg_roles WHERE rolreplication AND NOT rolsuper")
    assert replicate == {Role.CDC.login, Role.SUPERVISOR.login}


def test_a_password_that_the_server_does_not_have_is_told_with_what_to_do(place: Settings) -> None:
    other = place.postgres.model_copy(update={"password": SecretStr("other")})
    with pytest.raises(ServiceError, match=r"NEONBLUE_POSTGRES_PASSWORD.*ALTER ROLE neonblue PASSWORD"):
        Postgres(place.model_copy(update={"postgres": other})).settle()


def test_the_api_owns_its_schema_and_dagster_its_database(place: Settings) -> None:
    with connected(place) as connection:
        assert values(connection, OWNERS) == {Role.API.login}
    with connected(place, database="dagster") as connection:
        assert values(connection, OWNERS) == {Role.DAGSTER.login}
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'dagster'"
        assert values(connection, owner) == {Role.DAGSTER.login}


def test_the_api_works_on_tables_that_the_superuser_makes_later(place: Settings) -> None:
    with connected(place) as connection:
        connection.execute("CREATE TABLE accounts (id bigserial, unit_type text, user_id text)")
    try:
        with connected(place, Role.API) as connection:
            connection.execute("INSERT INTO accounts (unit_type, user_id) VALUES ('user', 'u')")
            connection.execute("DELETE FROM accounts")
            connection.execute("VACUUM (ANALYZE) accounts")
        with connected(place, Role.READER) as connection, pytest.raises(errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM accounts")
    finally:
        with connected(place) as connection:
            connection.execute("DROP TABLE accounts")


@pytest.mark.parametrize("role", sorted(GRANTS))
def test_a_role_reads_and_writes_the_tables_on_its_list_and_no_other(place: Settings, role: Role) -> None:
    with connected(place) as connection:
        for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"):
            allowed = {table for table, some in GRANTS[role].items() if privilege in some}
            assert values(connection, READABLE, role.login, privilege) == allowed, privilege


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.DAGSTER, Role.MONITORING])
def test_other_roles_have_no_table_of_the_platform(place: Settings, role: Role) -> None:
    with connected(place) as connection:
        assert values(connection, READABLE, role.login, "SELECT, INSERT, UPDATE, DELETE") == set()


def test_who_watches_reads_the_server_s_statistics_and_no_row(place: Settings) -> None:
    with connected(place, Role.MONITORING) as connection:
        assert values(connection, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query <> ''") == {True}
        assert values(connection, "SELECT pg_database_size('neonblue') > 0") == {True}
        for table in ("users", "events", "heartbeat", "api_tokens"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("public", table)))


@pytest.mark.parametrize("role", list(Role))
def test_a_role_enters_its_own_database_alone(place: Settings, role: Role) -> None:
    own = "dagster" if role is Role.DAGSTER else "neonblue"
    with connected(place, role, own):
        pass
    for other in {"neonblue", "dagster", "postgres", "template1"} - {own}:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connected(place, role, other)


@pytest.mark.parametrize(
    "attack",
    [
        "SELECT * FROM users",
        "SELECT * FROM events",
        "SELECT * FROM api_tokens",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "COPY heartbeat FROM PROGRAM 'id'",
        "COPY heartbeat FROM '/etc/passwd'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT pg_ls_dir('.')",
        "SELECT rolpassword FROM pg_authid",
        "UPDATE heartbeat SET beat_at = now()",
        "DELETE FROM outbox_events",
        "INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload) VALUES ('', '', '', '{}')",
        "CREATE TABLE mine ()",
        "CREATE SCHEMA mine",
        "CREATE TEMPORARY TABLE mine ()",
        "CREATE PUBLICATION mine FOR TABLE users",
        "ALTER PUBLICATION neonblue_outbox ADD TABLE users",
        "CREATE ROLE mine SUPERUSER",
        "ALTER ROLE neonblue_cdc SUPERUSER",
        "ALTER ROLE neonblue_api PASSWORD 'mine'",
        "ALTER SYSTEM SET fsync = off",
        "SET ROLE neonblue",
        "SET ROLE neonblue_api",
        "SET SESSION AUTHORIZATION neonblue",
        "SELECT drop_partition('events_old')",
        "SELECT cut_audit_log(730, 100)",
    ],
)
def test_the_stream_s_role_is_refused(place: Settings, attack: str) -> None:
    with connected(place, Role.CDC) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(attack)  # type: ignore[call-overload]


def test_the_stream_reads_partitions_made_later_and_beats(place: Settings) -> None:
    today = datetime.now(UTC).date()
    with connected(place, Role.API) as connection:
        made = sql.SQL("CREATE TABLE outbox_later PARTITION OF outbox_events FOR VALUES FROM ({}) TO ({})")
        connection.execute(made.format(str(today), str(today + timedelta(days=1))))
        connection.execute(
            "INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload) VALUES ('', 'x', '', '{}')"
        )
    with connected(place, Role.CDC) as connection:
        assert values(connection, "SELECT aggregate_id FROM outbox_events") == {"x"}
        connection.execute(
            "WITH pruned AS (DELETE FROM heartbeat WHERE beat_at < now() - interval '1 hour') "
            "INSERT INTO heartbeat (beat_at) VALUES (now())"
        )
        slot = "SELECT slot_name::text FROM pg_create_logical_replication_slot('of_this_test', 'pgoutput')"
        assert values(connection, slot) == {"of_this_test"}
    with connected(place, Role.SUPERVISOR) as connection:
        connection.execute("SELECT pg_drop_replication_slot('of_this_test')")


@pytest.mark.parametrize(
    "attack",
    [
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "SELECT pg_read_file('PG_VERSION')",
    ],
)
@pytest.mark.parametrize("role", list(Role))
def test_no_role_of_a_service_does_what_a_superuser_does(place: Settings, role: Role, attack: str) -> None:
    database = "dagster" if role is Role.DAGSTER else "neonblue"
    with connected(place, role, database) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(attack)  # type: ignore[call-overload]


def test_a_session_of_the_api_that_is_idle_in_a_transaction_is_ended(place: Settings) -> None:
    with connected(place, Role.API) as connection:
        for name, value in API_LIMITS.items():
            assert values(connection, "SELECT current_setting(%s)", name) == {value}
        connection.execute("SET idle_in_transaction_session_timeout = '100ms'")
        connection.execute("BEGIN")
        connection.execute("SELECT 1")
        until(lambda: _is_ended(place, connection.info.backend_pid), "its session is over")
        with pytest.raises(errors.IdleInTransactionSessionTimeout):
            connection.execute("SELECT 1")


def _is_ended(settings: Settings, backend: int) -> bool:
    with connected(settings) as connection:
        return values(connection, "SELECT pid FROM pg_stat_activity WHERE pid = %s", backend) == set()


def test_a_partition_goes_when_it_is_old_and_only_then(place: Settings) -> None:
    today = datetime.now(UTC).date()
    with connected(place, Role.API) as connection:
        for name, day in (("events_past", "2019-01-01"), ("events_young", str(today - timedelta(days=5)))):
            made = sql.SQL("CREATE TABLE {} PARTITION OF events FOR VALUES FROM ({}) TO ({})")
            end = str(datetime.fromisoformat(day).date() + timedelta(days=1))
            connection.execute(made.format(sql.Identifier(name), day, end))
        connection.execute(
            "CREATE TABLE outbox_past PARTITION OF outbox_events FOR VALUES FROM ('2019-01-01') TO ('2019-01-02')"
        )
    with connected(place, Role.ORCHESTRATION) as connection:
        assert values(connection, "SELECT drop_partition('events_past')") == {True}
        for other in ("users", "no_such", "events", "outbox_past"):
            assert values(connection, "SELECT drop_partition(%s)", other) == {False}
        with pytest.raises(errors.ObjectNotInPrerequisiteState, match="too young"):
            connection.execute("SELECT drop_partition('events_young')")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("DROP TABLE events_young")


def test_the_orchestrator_cuts_the_audit_log_by_its_function_alone(place: Settings) -> None:
    with connected(place, Role.ORCHESTRATION) as connection:
        assert values(connection, "SELECT cut_audit_log(730, 100)") == {0}
        for statement in (
            "DELETE FROM audit_log",
            "INSERT INTO audit_cuts VALUES (9, sha256('x'), now())",
            "SELECT hash FROM audit_log",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[call-overload]


def test_what_the_old_folder_held_is_there_and_people_s_roles_go_on(place: Settings) -> None:
    with connected(place) as connection:
        if not values(connection, "SELECT 1 FROM pg_roles WHERE rolname = 'analyst'"):
            pytest.skip("a fresh folder holds nothing")
        assert values(connection, 'SELECT note FROM "Of the team".notes') == {1}
    with connected(place, Role.API) as connection:
        assert values(connection, "SELECT user_id FROM events") == {"u"}
        assert values(connection, "SELECT count(*) FROM heartbeat") != {0}
        connection.execute("INSERT INTO heartbeat DEFAULT VALUES")
    with connected(place, Role.DAGSTER, "dagster") as connection:
        connection.execute("INSERT INTO runs (body) VALUES ('new')")
        assert values(connection, "SELECT body FROM runs") == {"kept", "new"}
    analyst = place.postgres.model_copy(update={"user": "analyst", "password": SecretStr("chosen")})
    with psycopg.connect(analyst.dsn()) as connection:
        assert values(connection, "SELECT user_id FROM clicks") == {"u"}
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM users")


def test_a_second_start_changes_passwords_that_were_changed_and_takes_back_what_was_given() -> None:
    settings = settings_in(new_folder())
    with Stack(settings, services={"postgres"}) as stack:
        stack.wait_ready()
        with connected(settings) as connection:
            connection.execute("GRANT SELECT ON users TO neonblue_cdc")
            connection.execute("ALTER ROLE neonblue_reader SUPERUSER PASSWORD 'forgotten'")
    changed = settings.postgres.model_copy(update={"api_password": SecretStr("another")})
    settings = settings.model_copy(update={"postgres": changed})
    env_file.write(settings)

    with Stack(settings, services={"postgres"}) as stack:
        stack.wait_ready()
        with connected(settings) as connection:
            assert values(connection, SUPERUSERS) == {"neonblue"}
        with connected(settings, Role.CDC) as connection, pytest.raises(errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM users")
        for role in (Role.API, Role.READER):
            with connected(settings, role):
                pass


def test_the_api_s_role_can_not_have_the_superuser_call_its_functions(place: Settings) -> None:
    """One that fits better than PostgreSQL's own would be called where the schema is searched."""
    with connected(place, Role.API) as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE plpgsql "
            "AS $$ BEGIN RAISE 'called'; END $$"
        )
        with pytest.raises(errors.RaiseException):
            connection.execute("SELECT quote_ident(pubname) FROM pg_publication")
    Postgres(place).settle()


def test_the_audit_log_is_verified_by_a_command(place: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "neonblue.cli.main", "audit", "verify", "--data-dir", str(place.data_dir)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
