"""The pages of the sign-in as HTML, and their answers. They run no script."""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse

from neonblue.pages import LOGO, document
from orchestration.web.callers import Caller
from orchestration.web.refusals import Refusal

STYLE, ICON = "/sign-in/page.css", "/sign-in/favicon.svg"
_LOGO = LOGO.format(icon=ICON)
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
_RETRY_SECONDS = 3


def sign_in(after: str, wrong: str = "", status: int = 200) -> HTMLResponse:
    """Where a token is pasted. after: the path to lead back to. wrong: why the last try did not succeed."""
    notice = f'<p class="notice" role="alert">{escape(wrong)}</p>\n' if wrong else ""
    return _answer(
        "Sign in to Dagster",
        "Sign in with an API token",
        f"""{notice}<form class="sign-in" method="post" action="/sign-in">
<input type="hidden" name="next" value="{escape(after)}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus maxlength="512">
<button>Sign in</button>
</form>
<p>A token of the scope <code>viewer</code> looks, one of the scope <code>editor</code> also starts and stops. To make
one: <code>neonblue token create --name NAME --scope editor</code>. The first administrator's own is
<code>NEONBLUE_API_TOKEN</code> in <code>neonblue.env</code>, which <code>neonblue env</code> prints.</p>""",
        status,
    )


def signed_in(caller: Caller) -> HTMLResponse:
    """Who has signed in, and the way out."""
    may = "may look and change" if caller.changes else "may look"
    return _answer(
        "Dagster",
        f"You are signed in as {escape(caller.name)}, who {may}",
        """<form class="sign-in" method="post" action="/sign-out"><button>Sign out</button></form>
<p><a href="/">To Dagster's page</a></p>""",
    )


def refused(refusal: Refusal) -> HTMLResponse:
    """What a person sees of a refusal. One that may pass is asked for again by the browser."""
    again = "retry-after" in refusal.headers
    way = "" if again else '<p><a href="/">To Dagster\'s page</a>, <a href="/sign-in">to the sign-in</a></p>'
    return _answer(
        "Dagster",
        "This can't be shown now" if again else "This is not let through",
        f'<p class="notice" role="alert">{escape(refusal.message)}.</p>\n{way}',
        refusal.status,
        refresh=_RETRY_SECONDS if again else None,
    )


def _answer(title: str, about: str, body: str, status: int = 200, refresh: int | None = None) -> HTMLResponse:
    page = document(
        title,
        f"<header><h1>{_LOGO}Dagster</h1>\n<p>{about}</p></header>\n<main>{body}</main>",
        (STYLE,),
        ICON,
        refresh,
    )
    return HTMLResponse(page, status, headers=_HEADERS)
