"""`python -m api` serves the API; with `--successor`, in place of a process that serves, once it is ready."""

from __future__ import annotations

import sys

from neonblue.serving.inherited import take
from neonblue.settings import Settings, SettingsError

_SUCCESSOR = "--successor"


def main() -> None:
    """Serve with the environment's settings until a signal ends it. Exits with 2 where they are wrong or misspelt."""
    inherited = take()
    try:
        api = Settings.load().api
        misspelt = [one.sentence for one in Settings.unknown() if one.claims]
    except SettingsError as error:
        misspelt = [str(error)]
    if misspelt:
        print("\n".join(misspelt), file=sys.stderr)
        sys.exit(2)
    from api.server import Serving

    Serving(api, inherited, successor=_SUCCESSOR in sys.argv[1:]).run()


if __name__ == "__main__":
    main()
