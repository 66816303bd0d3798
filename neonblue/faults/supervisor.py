"""The supervisor of a fault run's stack, in a process of its own, so that it can be killed.

``python -m neonblue.faults.supervisor DATA_DIR SERVICE…``. It ends on SIGTERM, and when whoever started it is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from neonblue.settings import Settings
from neonblue.stack import Stack
from neonblue.stack.supervisor.supervisor_log import write_to_file

PRELOAD = "FAULTS_PRELOAD"
"""Names a library that the services are to load first."""
_LOOK_SECONDS = 0.5


def main() -> None:
    folder, services = Path(sys.argv[1]), sys.argv[2:]
    parent, stop = os.getppid(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    write_to_file(folder)
    # For the services alone: a supervisor whose clock went back would wait for hours.
    if library := os.environ.pop(PRELOAD, ""):
        os.environ["LD_PRELOAD"] = library
    with Stack(Settings.load(folder), services):
        while os.getppid() == parent and not stop.wait(_LOOK_SECONDS):
            pass


if __name__ == "__main__":
    main()
