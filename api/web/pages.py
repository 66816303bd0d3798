"""The documentation as HTML. Its scripts and styles are files, as the content policy wants it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from neonblue.pages import LOGO, document


def documentation() -> str:
    """Swagger UI on the OpenAPI document."""
    return _page(
        "NeonBlue API",
        """<div id="swagger-ui"></div>
<noscript><p class="notice">This page needs scripts; the <a href="openapi.json">OpenAPI document</a> does not.</p>
</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="assets/docs.js"></script>""",
        "docs/swagger-ui.css",
    )


def plain_documentation(document: Mapping[str, Any], missing: str) -> str:
    """Every call in a list, where Swagger UI's files are missing. missing: the file that was looked for."""
    groups: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            told = escape(operation.get("description") or operation["summary"])
            line = f"<dt><code>{method.upper()} {escape(path)}</code></dt><dd>{told}</dd>"
            groups.setdefault(operation["tags"][0], []).append(line)
    sections = "\n".join(
        f"<section><h2>{escape(tag)}</h2><dl>{''.join(lines)}</dl></section>" for tag, lines in groups.items()
    )
    return _page(
        "NeonBlue API",
        f"""<header><h1>{_LOGO}NeonBlue API</h1></header>
<main><p class="notice">Calls can't be tried on this page: <code>{escape(missing)}</code> is missing in the cache
folder, or damaged. <code>neonblue up</code> fetches it into the folder that NEONBLUE_CACHE_DIR names. Below is each
call; the <a href="openapi.json">OpenAPI document</a> says all of them in full.</p>
{sections}</main>""",
    )


_ICON = "favicon.svg"
_LOGO = LOGO.format(icon=_ICON)


def _page(title: str, body: str, *styles: str) -> str:
    return document(title, body, (*styles, "assets/page.css"), _ICON)
