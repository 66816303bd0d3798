"""``neonblue sql``: a query on ClickHouse as the user who can only read."""

from __future__ import annotations

import sys
from typing import Annotated

import httpx
import typer

from neonblue.cli.failures import of_clickhouse
from neonblue.cli.terminal import DataDir, fail
from neonblue.settings import Settings


def sql(
    query: Annotated[str, typer.Argument(help="The query; - reads it from standard input.")],
    output_format: Annotated[
        str,
        typer.Option(
            "--format", "-f", help="A ClickHouse format that needs no schema: JSON, CSVWithNames, Parquet, …"
        ),
    ] = "PrettyCompactMonoBlock",
    data_dir: DataDir = None,
) -> None:
    """Run a read-only query on ClickHouse and print its result."""
    settings = Settings.load(data_dir)
    # As it was given, byte for byte: a query may hold texts of any encoding.
    given = sys.stdin.buffer.read() if query == "-" else query.encode(errors="surrogateescape")
    _stream(settings, given, output_format)


def _stream(settings: Settings, query: bytes, output_format: str) -> None:
    """Copy the result to standard output as it arrives, so that its size does not matter."""
    clickhouse = settings.clickhouse
    request = httpx.Request(
        "POST",
        clickhouse.address,
        params={
            "database": clickhouse.database,
            "default_format": output_format,
            "output_format_pretty_color": int(sys.stdout.isatty()),
        },
        headers={
            "X-ClickHouse-User": clickhouse.readonly_user,
            "X-ClickHouse-Key": clickhouse.readonly_password.get_secret_value(),
        },
        content=query,
    )
    with httpx.Client(timeout=httpx.Timeout(10, read=None), trust_env=clickhouse.external) as http:
        response = http.send(request, stream=True)
        if response.is_error:
            fail(of_clickhouse(response.read().decode(errors="replace"), settings))
        for chunk in response.iter_bytes():
            sys.stdout.buffer.write(chunk)
    sys.stdout.flush()
