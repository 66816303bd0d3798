"""Ports that can't be had: a sentence for each, with the setting to change."""

from __future__ import annotations

import errno
import socket

import pytest

from neonblue.stack.errors import PortsTakenError
from neonblue.stack.processes import ports
from neonblue.stack.processes.ports import LOOPBACK, PortUse


def test_a_port_in_use_is_named_with_its_setting() -> None:
    with socket.create_server((LOOPBACK, 0)) as holder:
        port = holder.getsockname()[1]

        with pytest.raises(PortsTakenError, match=rf"{port} \(api\) is in use .*: set NEONBLUE_API_PORT"):
            ports.check([PortUse(port, "api", "NEONBLUE_API_PORT")])


@pytest.mark.parametrize(
    ("error", "reason"), [(errno.EACCES, "is for root alone"), (errno.EADDRNOTAVAIL, "can't be had")]
)
def test_a_port_that_the_system_refuses_is_named_with_its_setting(
    error: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(port: int) -> bool:
        raise OSError(error, "refused")

    monkeypatch.setattr(ports, "taken", refused)

    with pytest.raises(PortsTakenError, match=rf"80 \(api\) {reason}.*: set NEONBLUE_API_PORT"):
        ports.check([PortUse(80, "api", "NEONBLUE_API_PORT")])
