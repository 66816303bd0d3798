"""``neonblue sql``: a query on ClickHouse as the user who can only read."""

from __future__ import annotations

import sys
from typing import Annotated

import httpx
import typer

from neonblue.cli.terminal import DataDir, fail
from neonblue.settings import ClickHouseSettings, Settings


def sql(
    query: Annotated[str, typer.Argument(help="The query; - reads it from standard input.")],
    output_format: Annotated[
        str,
        typer.Option("--format", "-f", help="Any ClickHouse format: JSON, CSVWithNames, Parquet, …"),
    ] = "PrettyCompactMonoBlock",
    data_dir: DataDir = None,
) -> None:
    """Run a read-only query on ClickHouse and print its result."""
    clickhouse = Settings.load(data_dir).clickhouse
    text = sys.stdin.read() if query == "-" else query
    try:
        _stream(clickhouse, text, output_format)
    except httpx.TransportError as error:
        fail(f"ClickHouse does not answer at {clickhouse.address} ({error}): is `neonblue up` running?")


def _stream(clickhouse: ClickHouseSettings, query: str, output_format: str) -> None:
    """Copy the result to standard output as it arrives, so that its size does not matter."""
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
        content=query.encode(),
    )
    with httpx.Client(timeout=httpx.Timeout(10, read=None)) as http:
        response = http.send(request, stream=True)
        if response.is_error:
            fail(response.read().decode(errors="replace").strip())
        for chunk in response.iter_bytes():
            sys.stdout.buffer.write(chunk)
    sys.stdout.flush()
