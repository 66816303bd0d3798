"""``neonblue token``: who may do what with the API."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

import msgspec
import typer

from neonblue.cli.api import Api, show_json
from neonblue.cli.experiment_view import grid, utc_now
from neonblue.cli.output import confirm, print_whole, say
from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.cli.texts import day, moment
from neonblue.client.messages import Token
from neonblue.settings import Settings
from neonblue.texts import person, plain

_TOKENS = "/v1/tokens"
_LASTING = re.compile(r"^(\d{1,4})d$")
SCOPES = {
    "admin": "everything, tokens too",
    "editor": "change experiments and metrics, and read",
    "viewer": "read",
    "ingest": "send events",
    "assign": "ask for variants",
}
_SCOPE_HELP = "; ".join(f"{name}: {means}" for name, means in SCOPES.items())

token = typer.Typer(
    name="token",
    help="Make, list and revoke the API's tokens. Needs a token with the scope admin.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Tokens(msgspec.Struct):
    items: list[Token]


@token.command()
def create(
    name: Annotated[
        str, typer.Option(help="Whose or what for: it stands in the history of what the token changes.")
    ],
    scope: Annotated[list[str], typer.Option(help=f"What it may do (repeatable). {_SCOPE_HELP}.")],
    origin: Annotated[
        list[str] | None,
        typer.Option(
            help="A web origin such as https://shop.example.com (repeatable): the token may stand in its pages, "
            "and has the scopes ingest and assign at most."
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(help="A UTC day (2027-03-01), a number of days (90d), or never. Default: 365d."),
    ] = None,
    rate_limit: Annotated[
        int | None,
        typer.Option(
            min=0, max=1_000_000, help="Requests a second. Default: NEONBLUE_API_RATE_LIMIT_PER_SECOND."
        ),
    ] = None,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Make a token. Its secret is printed once, alone on standard output: SECRET=$(neonblue token create …)."""
    body: dict[str, Any] = {"name": name, "scopes": scope}
    if origin:
        body["origins"] = origin
    if expires is not None:
        body["expires_at"] = expiry(expires, utc_now())
    if rate_limit is not None:
        body["rate_limit"] = rate_limit
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        answer = api.post(_TOKENS, body)
        made = api.read(answer, Token)
    if json_output:
        show_json(answer)
        return
    for line in about(made):
        console(stderr=True).print(line, markup=False, soft_wrap=True)
    typer.echo(made.secret)


@token.command("list")
def list_tokens(json_output: AsJson = False, data_dir: DataDir = None) -> None:
    """List all tokens, newest first, revoked ones too."""
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        answer = api.all_items(_TOKENS)
        found = api.read(answer, Tokens).items
    if json_output:
        show_json(answer)
        return
    headings = ("id", "name", "state", "scopes", "origins", "begins", "made", "by", "expires", "last used")
    print_whole(grid(headings, [_row(token, utc_now()) for token in found]))


@token.command()
def revoke(
    number: Annotated[
        int,
        typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="The token's id, as `token list` shows it."),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Revoke a token, for good."""
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        path = f"{_TOKENS}/{number}"
        found = api.read(api.get(path), Token)
        confirm(f"Revoke token {number}, {plain(found.name)!r}, for good?", yes=yes)
        api.delete(path)
        answer = api.get(path)
    if json_output:
        show_json(answer)
    else:
        say(f"token {number}, {plain(found.name)!r}, is revoked")


def about(made: Token) -> list[str]:
    """What to know of a token just made, beside its secret."""
    until = f"until {moment(made.expires_at)}" if made.expires_at else "for ever"
    lines = [
        f"token {made.id}, {plain(made.name)!r}: {', '.join(made.scopes)}, {until}. Its secret is shown this once:"
    ]
    if made.origins:
        lines.insert(
            0, f"publishable: it works from pages of {', '.join(map(plain, made.origins))} and nowhere else"
        )
    return lines


def expiry(text: str, now: datetime) -> str | None:
    """When a token expires, as the API takes it; None: never. Ends the command where the text says no time."""
    if text == "never":
        return None
    lasting = _LASTING.match(text)
    if lasting:
        return (now + timedelta(days=int(lasting[1]))).isoformat()
    try:
        ends = datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        fail(
            f"--expires: {text!r} is no day such as 2027-03-01, no number of days such as 90d, and not never",
            code=2,
        )
    if ends <= now:
        fail(f"--expires: {text} has begun already, in UTC", code=2)
    return ends.isoformat()


def _row(token: Token, now: datetime) -> Sequence[str]:
    return (
        str(token.id),
        plain(token.name),
        _state(token, now),
        " ".join(token.scopes),
        " ".join(map(plain, token.origins or ())),
        f"{token.hint}…" if token.hint else "",
        day(token.created_at),
        person(token.created_by),
        day(token.expires_at) or "never",
        moment(token.last_used_at) or "never",
    )


def _state(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= now else "valid"
