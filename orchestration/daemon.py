"""`python -m orchestration.daemon ARGUMENT…`: `dagster-daemon run`, with our log lines."""

from __future__ import annotations

import sys

from orchestration.logs import configure_logs


def main() -> None:
    """Run schedules, sensors and the queue until a signal ends it."""
    configure_logs("dagster-daemon")
    from dagster._daemon.cli import run_command

    run_command.main(sys.argv[1:], prog_name="orchestration.daemon")


if __name__ == "__main__":
    main()
