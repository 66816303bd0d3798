"""`python -m orchestration.code_server ARGUMENT…`: `dagster api grpc` for the definitions, with our log lines.

The process of a run imports this module too, so that its lines are the same.
"""

from __future__ import annotations

import sys

from orchestration.logs import configure_logs

MODULE = "orchestration.definitions"

if __name__ in ("__main__", "__mp_main__"):
    configure_logs("dagster-code")


def main() -> None:
    """Serve until a signal ends it."""
    from dagster._cli.api import grpc_command

    grpc_command.main(["-m", MODULE, *sys.argv[1:]], prog_name="orchestration.code_server")


if __name__ == "__main__":
    main()
