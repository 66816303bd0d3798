"""A supervisor that a test can kill: ``supervise.py DATA_DIR SERVICE…``.

Says ``ready``, then waits for SIGTERM.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from neonblue.settings import Settings
from neonblue.stack import Stack
from neonblue.stack.supervisor.supervisor_log import write_to_file


def main() -> None:
    folder, *services = sys.argv[1:]
    settings = Settings.load(Path(folder))
    write_to_file(settings.data_dir)
    signals = {signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with Stack(settings, services=services, reload=lambda: Settings.load(settings.data_dir)) as stack:
        stack.wait_ready()
        print("ready", flush=True)
        signal.sigwait(signals)


if __name__ == "__main__":
    main()
