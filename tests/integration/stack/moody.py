"""A service for tests, as moody as its file says: ``moody.py PORT FILE``.

The file holds one word. ``answer``; ``work``: answers, and uses the processor; ``late``: answers after three seconds;
``mute``: says nothing; ``churn``: says nothing, and uses the processor. Until ``ready`` lies beside the file it does
not listen; meanwhile ``churn`` uses the processor and anything else sleeps.
"""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

_LATE_SECONDS = 3.0


def main() -> None:
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    while not file.with_name("ready").exists():
        _pass(churn=file.read_text() == "churn")
    with socket.create_server(("127.0.0.1", port)) as listening:
        listening.settimeout(0.05)
        while True:
            mood = file.read_text()
            if mood in {"mute", "churn"}:
                _pass(churn=mood == "churn")
                continue
            if mood == "work":
                _pass(churn=True)
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            with connection:
                if mood == "late":
                    time.sleep(_LATE_SECONDS)
                connection.sendall(b"!")


def _pass(*, churn: bool) -> None:
    end = time.monotonic() + 0.05
    while churn and time.monotonic() < end:
        pass
    if not churn:
        time.sleep(0.05)


if __name__ == "__main__":
    main()
