"""The roles of PostgreSQL: what each may do in the stack's own server.

The superuser makes them at every start, and brings a folder of an earlier version, in which the superuser owned
everything, to the same state. What a role is not given here, it may not do; what people have made beside it stays.

- ``neonblue_api`` owns the tables: it migrates them, and makes and drops partitions.
- ``neonblue_cdc`` reads the outbox and beats. To follow the log it needs REPLICATION. By that PostgreSQL lets it read
  the log of all tables, and copy the cluster's files: its password is as good as a read of the database.
- ``neonblue_supervisor`` drops a replication slot that PostgreSQL has given up, which needs REPLICATION as well.
- ``neonblue_dagster`` owns Dagster's database.
- ``neonblue_monitoring`` reads the server's statistics (pg_read_all_stats), and no table.
- ``neonblue_orchestration`` and ``neonblue_reader`` read what is analysed, and no token, key, kept answer or audit log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg import sql

from neonblue.settings import PostgresSettings, Role
from neonblue.stack.errors import ServiceError
from neonblue.stack.services.inside.postgres_superuser import Connection, made_by_people

API_LIMITS: Mapping[str, str] = {
    "statement_timeout": "1min",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "1min",
}
"""No session of the API's may hold a lock for ever. What takes longer says so itself: migrations, erasures, exports."""

READER_LIMITS: Mapping[str, str] = {"idle_in_transaction_session_timeout": "10min"}
"""A transaction that is left open keeps rows from being cleared away."""

_REPLICATES = frozenset({Role.CDC, Role.SUPERVISOR})
MONITORING_LIMITS: Mapping[str, str] = {"statement_timeout": "10s"}
"""What watches must not add to the trouble."""
_LIMITS = {Role.API: API_LIMITS, Role.READER: READER_LIMITS, Role.MONITORING: MONITORING_LIMITS}

_ANALYSED = (
    "assignments",
    "erasures",
    "evaluations",
    "events",
    "experiment_looks",
    "experiment_metrics",
    "experiment_ramps",
    "experiment_versions",
    "experiment_watched",
    "experiments",
    "forced_variants",
    "holdouts",
    "layers",
    "metric_versions",
    "metrics",
    "user_links",
    "users",
    "variants",
)
GRANTS: Mapping[Role, Mapping[str, frozenset[str]]] = {
    Role.CDC: {
        "outbox_events": frozenset({"SELECT"}),
        "heartbeat": frozenset({"SELECT", "INSERT", "DELETE"}),
    },
    Role.ORCHESTRATION: {
        "assignments": frozenset({"SELECT"}),
        "events": frozenset({"SELECT"}),
        "experiment_looks": frozenset({"SELECT"}),
        "experiments": frozenset({"SELECT"}),
        "user_links": frozenset({"SELECT"}),
        "heartbeat": frozenset({"SELECT", "DELETE"}),
    },
    Role.READER: {table: frozenset({"SELECT"}) for table in _ANALYSED},
}
"""Privileges on tables by role. One on a partitioned table holds for all its partitions, also those made later."""

_WITHOUT_TABLES = frozenset({Role.API, Role.DAGSTER, Role.MONITORING})
"""Of the platform's own: the API owns them."""

_KEEPS_HOUSE = ("public.drop_partition(text)", "public.cut_audit_log(integer, integer)")
"""What the orchestrator may call, and not do by itself."""


def reconcile(connection: Connection, postgres: PostgresSettings) -> None:
    """Make the roles as they shall be, and what is the whole server's: who may enter which database.

    connection: the superuser's, to any database, in no transaction. Raises ``ServiceError`` where its name is a role's.
    """
    if postgres.user in {role.login for role in Role}:
        raise ServiceError(
            "postgres", f"NEONBLUE_POSTGRES_USER can't be {postgres.user}: that is another role's"
        )
    with connection.transaction():
        for role in Role:
            _make(connection, role, postgres.password_of(role).get_secret_value())
        owner = sql.Identifier(Role.DAGSTER.login)
        dagster = sql.Identifier(postgres.dagster_database)
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(dagster, owner))
        entered = {
            "postgres": set[Role](),
            "template1": set[Role](),
            postgres.database: set(Role) - {Role.DAGSTER},
            postgres.dagster_database: {Role.DAGSTER},
        }
        for database, roles in entered.items():
            _let_in(connection, database, roles)
        watches = sql.SQL("GRANT pg_read_all_stats TO {}")
        connection.execute(watches.format(sql.Identifier(Role.MONITORING.login)))
        # It makes the publication, which belongs to the database.
        creates = sql.SQL("GRANT CREATE, TEMPORARY ON DATABASE {} TO {}")
        connection.execute(creates.format(sql.Identifier(postgres.database), sql.Identifier(Role.API.login)))


def _make(connection: Connection, role: Role, password: str) -> None:
    name = sql.Identifier(role.login)
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role.login]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    # What the server's log may show of this statement opens nothing.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.login.encode(), b"scram-sha-256")
    may = sql.SQL("REPLICATION" if role in _REPLICATES else "NOREPLICATION")
    attributes = sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS {} PASSWORD {}")
    connection.execute(attributes.format(name, may, sql.Literal(verifier.decode())))
    for setting, value in _LIMITS.get(role, {}).items():
        limit = sql.SQL("ALTER ROLE {} SET {} = {}")
        connection.execute(limit.format(name, sql.Identifier(setting), sql.Literal(value)))


def _let_in(connection: Connection, database: str, roles: Iterable[Role]) -> None:
    """Nobody but `roles` enters the database, and whom people made and let in by default until now."""
    name = sql.Identifier(database)
    open_to_all = connection.execute(
        "SELECT has_database_privilege('public', %s, 'CONNECT')", [database]
    ).fetchone()
    if open_to_all and open_to_all[0] is True:
        for other in made_by_people(connection):
            grant = sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}")
            connection.execute(grant.format(name, sql.Identifier(other)))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    for role in Role:
        wanted = (
            "GRANT CONNECT ON DATABASE {} TO {}" if role in roles else "REVOKE ALL ON DATABASE {} FROM {}"
        )
        connection.execute(sql.SQL(wanted).format(name, sql.Identifier(role.login)))


_GRANTED = """
SELECT class.relname, privileges.privilege_type
FROM pg_class AS class, aclexplode(class.relacl) AS privileges
WHERE class.relnamespace = 'public'::regnamespace AND privileges.grantee = %s::regrole
"""


def grant(connection: Connection) -> None:
    """Give each role its privileges on the platform's tables, and take away any other. After the migrations."""
    with connection.transaction():
        for role in Role:
            name = sql.Identifier(role.login)
            if role not in _WITHOUT_TABLES:
                connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name))
                _set_privileges(connection, role)
        for signature in _KEEPS_HOUSE:
            if connection.execute("SELECT to_regprocedure(%s)", [signature]).fetchone() != (None,):
                calls = sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}")
                function, name = sql.SQL(signature), sql.Identifier(Role.ORCHESTRATION.login)
                connection.execute(calls.format(function, name))


def _set_privileges(connection: Connection, role: Role) -> None:
    present = {(str(table), str(one)) for table, one in connection.execute(_GRANTED, [role.login]).fetchall()}
    known = {
        str(row[0])
        for row in connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        )
    }
    wanted = {(table, one) for table, some in GRANTS.get(role, {}).items() if table in known for one in some}
    revoke, give = sql.SQL("REVOKE {} ON public.{} FROM {}"), sql.SQL("GRANT {} ON public.{} TO {}")
    for statement, changes in ((revoke, present - wanted), (give, wanted - present)):
        for table, privilege in sorted(changes):
            parts = (sql.SQL(privilege), sql.Identifier(table), sql.Identifier(role.login))
            connection.execute(statement.format(*parts))
