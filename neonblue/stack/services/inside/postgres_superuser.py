"""What the superuser of the stack's own PostgreSQL does: it enters, and hands on what it owned in an older version."""

from __future__ import annotations

import psycopg
from psycopg import sql

from neonblue.settings import PostgresSettings, Role
from neonblue.stack.errors import ServiceError

Connection = psycopg.Connection[tuple[object, ...]]

_CONNECT_SECONDS = 3


def connect(postgres: PostgresSettings, database: str | None = None) -> Connection:
    """A connection to `database` (None: the platform's) that calls the server's own functions alone.

    Whoever may make functions in a schema that it searches could have it call theirs. Raises psycopg.Error, and
    ServiceError where the stack's own server has another password than the settings.
    """
    try:
        return psycopg.connect(
            postgres.dsn(database),
            connect_timeout=_CONNECT_SECONDS,
            autocommit=True,
            application_name="neonblue-stack",
            # What is made here is made again at each start: it waits for no standby, which may be away.
            options="-c search_path=pg_catalog -c lock_timeout=10s -c synchronous_commit=local",
        )
    except psycopg.OperationalError as error:
        if postgres.external or "password authentication failed" not in str(error):
            raise
        raise ServiceError(
            "postgres",
            f"PostgreSQL has another password for {postgres.user} than NEONBLUE_POSTGRES_PASSWORD: put the former one "
            f"back, start, change it by ALTER ROLE {postgres.user} PASSWORD '…', and only then in the settings",
        ) from error


def made_by_people(connection: Connection) -> list[str]:
    """The roles that log in and are neither the superuser's nor one of ours."""
    ours = [role.login for role in Role]
    rows = connection.execute(
        "SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper AND rolname <> ALL(%s)", [ours]
    )
    return [str(row[0]) for row in rows]


def own_schema(connection: Connection, owner: Role) -> None:
    """Give the schema ``public`` of the connection's database, and all in it that is the superuser's, to `owner`.

    Object by object: where it is interrupted, the next start does the rest.
    """
    name = sql.Identifier(owner.login)
    with connection.transaction():
        if _open_to_all(connection):
            for other in made_by_people(connection):
                grant = sql.SQL("GRANT USAGE ON SCHEMA public TO {}")
                connection.execute(grant.format(sql.Identifier(other)))
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(name))
        # What a person makes as the superuser meanwhile: exports and erasures look into every table of people.
        for objects in (sql.SQL("TABLES"), sql.SQL("SEQUENCES")):
            later = sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON {} TO {}")
            connection.execute(later.format(objects, name))
    for kind, identity in connection.execute(_OWNED_BY_SUPERUSER).fetchall():
        # Both come from the catalog, the identity quoted as it must be.
        change = sql.SQL(f"ALTER {kind} {identity} OWNER TO")
        connection.execute(sql.SQL("{} {}").format(change, name))


def _open_to_all(connection: Connection) -> bool:
    row = connection.execute("SELECT has_schema_privilege('public', 'public', 'USAGE')").fetchone()
    return row is not None and row[0] is True


# Indexes and the sequences of columns follow their table. What belongs to an extension stays as the extension has it.
_OWNED_BY_SUPERUSER = """
WITH mine AS (
    SELECT
        CASE relkind
            WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
            WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE'
        END AS kind,
        oid::regclass::text AS identity, 'pg_class'::regclass AS catalog, oid
    FROM pg_class
    WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
        AND relnamespace = 'public'::regnamespace AND relowner = current_user::regrole
    UNION ALL
    SELECT 'ROUTINE', oid::regprocedure::text, 'pg_proc'::regclass, oid FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND proowner = current_user::regrole
    UNION ALL
    SELECT 'TYPE', oid::regtype::text, 'pg_type'::regclass, oid FROM pg_type
    WHERE typnamespace = 'public'::regnamespace AND typowner = current_user::regrole
        AND (typtype IN ('e', 'd', 'r')
            OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c'))
    UNION ALL
    SELECT 'STATISTICS', format('public.%I', stxname), 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext
    WHERE stxnamespace = 'public'::regnamespace AND stxowner = current_user::regrole
    UNION ALL
    SELECT 'PUBLICATION', quote_ident(pubname), 'pg_publication'::regclass, publication.oid
    FROM pg_publication AS publication
    WHERE pubowner = current_user::regrole AND NOT puballtables AND NOT EXISTS (
        SELECT FROM pg_publication_rel JOIN pg_class ON pg_class.oid = prrelid
        WHERE prpubid = publication.oid AND relnamespace <> 'public'::regnamespace
    )
)
SELECT kind, identity FROM mine
WHERE NOT EXISTS (
    SELECT FROM pg_depend
    WHERE classid = mine.catalog AND objid = mine.oid
        AND (deptype = 'e' OR (kind = 'SEQUENCE' AND deptype IN ('a', 'i')))
)
ORDER BY kind DESC, identity
"""
