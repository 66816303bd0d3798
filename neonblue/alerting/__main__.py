"""Delivers one alert: a `Parcel` on standard input. Exits with 1 and says why when an address does not take it."""

from __future__ import annotations

import sys

import msgspec
from pydantic import SecretStr

from neonblue.alerting.delivery import Parcel, deliver


def main() -> None:
    parcel = msgspec.json.decode(sys.stdin.buffer.read(), type=Parcel)
    try:
        deliver([SecretStr(url) for url in parcel.urls], parcel.alert)
    except (RuntimeError, ImportError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
