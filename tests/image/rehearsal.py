"""``python -m tests.image.rehearsal STORE FOLDER``, in mounts and a network of its own: the deployment, run.

What `neonblue compose init` writes is run as it stands: the processes of our images as containers, the servers of
official images by the embedded stack's programs. Ends with simulated visits and their results.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from neonblue.compose import deployment, kept
from neonblue.compose.machine import Machine
from neonblue.stack.services.clickhouse import ClickHouse
from neonblue.stack.services.postgres import Postgres
from tests.image import servers
from tests.image.building import Store
from tests.image.containers import ADDRESSES, Container, end
from tests.unit.compose.deployments import compose_config

_SECONDS = 420.0
_UNITS = 300
_WRITES = "import pathlib; pathlib.Path('/opt/x').touch()"


class Rehearsal:
    """One deployment, from an empty folder."""

    def __init__(self, store: Path, folder: Path, ended: ExitStack) -> None:
        self._store, self._folder, self._ended = Store(store), folder, ended
        self._deployment = folder / "deployment"
        deployment.write(self._deployment, Machine.here(folder))
        self._services: dict[str, Any] = compose_config(self._deployment, "cli", "demo")["services"]
        self._roots = {target: self._store.mounted(target) for target in ("neonblue", "connect")}
        self._keeps = kept.load(self._deployment)
        self._logs = folder / "logs"
        self._logs.mkdir()

    def servers(self) -> None:
        """What the official images run."""
        settings = servers.settings_of(self._keeps, self._folder / "servers")
        processes = {
            "postgres": servers.postgres(settings, self._deployment, self.log("postgres")),
            "valkey": servers.valkey(settings, self._deployment, self.log("valkey")),
            "kafka": servers.kafka(
                self._services["kafka"], self._deployment, self._folder / "kafka-data", self.log("kafka")
            ),
            "clickhouse": servers.clickhouse(settings, self.log("clickhouse")),
        }
        for process in processes.values():
            self._ended.callback(end, process)
        self.wait("postgres", lambda: Postgres(settings).answer(2.0))
        self.wait("clickhouse", lambda: ClickHouse(settings).answer(2.0))
        check = self._services["kafka"]["healthcheck"]["test"][1:]
        words = [word.replace("$$", "$") for word in check]
        self.wait("kafka", lambda: subprocess.run(words, check=True, capture_output=True))

    def api_in_clickhouse(self) -> str:
        """Whom the API signs in as here: the embedded engine's front has no user for it alone."""
        owner, secrets = self._keeps.settings.clickhouse, self._deployment / "secrets" / "api.env"
        secrets.write_text(secrets.read_text().replace(self._keeps.writer, owner.password.get_secret_value()))
        return owner.user

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def container(self, name: str) -> Container:
        service = self._services[name]
        target = "connect" if "neonblue-connect" in service["image"] else "neonblue"
        root, configuration = self._roots[target], self._store.configuration(target)
        return Container(name, service, root, configuration, self._deployment, self._folder / "volumes")

    def start(self, name: str, **environment: str) -> None:
        """A service, until it is healthy where it says so. It has no rights, and can't change its own files."""
        container = self.container(name)
        process = container.start(log=self.log(name), **environment)
        self._ended.callback(end, process)
        if "healthcheck" in container.service:
            self.wait(name, lambda: _require(container.healthy(process)), process)
        else:
            time.sleep(5)
            _require(process.poll() is None)
        tried = container.within(process, ["python3", "-c", _WRITES])
        _require("Read-only file system" in tried.stderr)
        status = container.within(process, ["cat", "/proc/self/status"]).stdout
        _require("CapEff:\t0000000000000000" in status)
        user = container.within(process, ["id", "-u"]).stdout.strip()
        self.say(name, f"runs as {user}, its files read-only")

    def once(self, name: str, *arguments: str, **environment: str) -> str:
        """A container that ends, well; what it printed."""
        log = self.log(f"{name}-{'-'.join(arguments[:1])}")
        code = self.container(name).run(*arguments, log=log, **environment)
        text = log.read_text()
        _require(code == 0, text)
        return text

    def count(self) -> int:
        """Events in ClickHouse, as the command line counts them."""
        place = self.log("cli-sql")
        place.unlink(missing_ok=True)
        text = self.once("cli", "sql", "SELECT count() FROM events_processed", "--format", "TSV")
        return int(text.splitlines()[-1])

    def wait(
        self, name: str, ask: Callable[[], object], process: subprocess.Popen[bytes] | None = None
    ) -> None:
        began = time.monotonic()
        while True:
            try:
                ask()
            except Exception as error:
                ended = process is not None and process.poll() is not None
                if ended or time.monotonic() - began > _SECONDS:
                    tail = self.log(name).read_text()[-4000:]
                    raise SystemExit(f"{name} is not ready ({error}):\n{tail}") from error
                time.sleep(0.5)
            else:
                self.say(name, f"answers after {time.monotonic() - began:.0f} s")
                return

    def say(self, name: str, what: str) -> None:
        print(f"{name:>15}  {what}", flush=True)


def _require(good: bool, otherwise: str = "it is not so") -> None:
    if not good:
        raise RuntimeError(otherwise)


def rehearse(store: Path, folder: Path) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    hosts = folder / "hosts"
    hosts.write_text(ADDRESSES)
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    for place in ("/opt", "/run/secrets", "/etc/neonblue", "/var/lib/kafka"):
        servers.hide(place)
    folder.chmod(0o755)
    with ExitStack() as ended:
        show = Rehearsal(store, folder, ended)
        version = show.once("cli", "--version")
        show.say("cli", version.strip())
        show.servers()
        show.once("set-up")
        show.say("set-up", "made roles, users, tables and topics")
        show.once("set-up")
        show.say("set-up", "done again, it ends well")
        show.start("connect")
        show.start("api", NEONBLUE_CLICKHOUSE_USER=show.api_in_clickhouse())
        show.start("keeper")
        said = show.once("demo", "neonblue", "simulate", "demo", "--units", str(_UNITS))
        show.say("demo", json.dumps(json.loads(said[said.index("{") :])))
        show.wait("keeper", lambda: _require(show.count() > _UNITS))
        show.say("cli", f"counts {show.count()} events in ClickHouse")
        for name in ("dagster-code", "dagster", "dagster-daemon"):
            show.start(name)
        show.say("cli", "\n" + show.once("cli", "build"))
        show.say("cli", "\n" + show.once("cli", "results", "demo"))


if __name__ == "__main__":
    rehearse(Path(sys.argv[1]), Path(sys.argv[2]))
