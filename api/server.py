"""The server around the application: one process or several, on sockets of its own or on those it was handed."""

from __future__ import annotations

import contextlib
import socket
import sys
from dataclasses import dataclass
from functools import partial

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from api.edge.at_once import Application
from api.edge.protocol import Protocol
from api.logs import configure_logs
from neonblue.serving.inherited import Inherited
from neonblue.serving.protocol import end_keeping
from neonblue.settings import ApiSettings

_BACKLOG = 4096
_PATIENCE_SECONDS = 10.0
"""Until what connections wait for is there: then they get answers, also where those are that it is not."""


@dataclass(slots=True)
class Serving:
    """How this process serves. successor: another one does until this one is ready."""

    settings: ApiSettings
    inherited: Inherited
    successor: bool = False

    def run(self) -> None:
        """Until a signal ends it. Exits where it can't start."""
        configure_logs()
        config = self._config()
        sockets = self.inherited.sockets or None
        if self.settings.workers > 1:
            _Workers(config, sockets or [config.bind_socket()], self.inherited).run()
            return
        server = _Server(config, self.inherited)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets)
        if not server.started:
            sys.exit(STARTUP_FAILURE)

    def _config(self) -> uvicorn.Config:
        patience = _PATIENCE_SECONDS if self.inherited.sockets else 0.0
        return uvicorn.Config(
            partial(_application, None if self.successor else patience, self.settings.workers > 1),
            factory=True,
            host=self.settings.host,
            port=self.settings.port,
            workers=self.settings.workers,
            loop="uvloop",
            http=Protocol,
            ws="none",
            access_log=False,
            log_config=None,  # what it says goes the way of our lines
            server_header=False,
            proxy_headers=False,  # the application reads them where it asks who called
            timeout_graceful_shutdown=10,
            timeout_keep_alive=75,  # longer than clients and balancers keep theirs: else a request meets a closing one
            backlog=_BACKLOG,
        )


def _application(patience: float | None, replaceable: bool) -> Application:
    from api.app import create_app

    return create_app(patience=patience, replaceable=replaceable)


class _Server(uvicorn.Server):
    """Tells when it takes connections, and lets no connection out that it took in its last moment."""

    def __init__(self, config: uvicorn.Config, inherited: Inherited) -> None:
        super().__init__(config)
        self._inherited = inherited

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._inherited.announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        end_keeping(self.server_state)
        await super().shutdown(sockets)


class _Workers(Multiprocess):
    """Several processes, each replaced where it ends; tells when all of them take connections."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], inherited: Inherited) -> None:
        super().__init__(config, sockets)
        self._inherited = inherited

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        if self._inherited.pipe is not None and all(process.is_ready() for process in self.processes):
            self._inherited.announce()
