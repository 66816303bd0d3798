"""From matplotlib's SVG file to an element of a page: no outside names, the page's colours and fonts."""

from __future__ import annotations

import re
from html import escape

from neonblue.reports.palette import Ink

_PROLOGUE = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_OPENING = re.compile(r"<svg\b[^>]*>")
_VIEW_BOX = re.compile(r'viewBox="([^"]+)"')
_ID = re.compile(r' id="([^"]+)"')
_REFERENCE = re.compile(r'(?:xlink:href="#|href="#|url\(#)([^")]+)')
_FONT = re.compile(r"font-family: [^;\"]+|(font: [^;\"]*?px) '[^;\"]*")


def for_page(file: str, name: str, title: str, alternative: str) -> str:
    """The drawing as one `<svg>` element with a title and a description.

    name: goes before every id, so that drawings of one page do not meet. Colours of `Ink` become CSS variables.
    """
    body = _COMMENT.sub("", _METADATA.sub("", _PROLOGUE.sub("", file)))
    view_box = _VIEW_BOX.search(body)
    if view_box is None:
        raise ValueError("file: the drawing has no viewBox")
    used = set(_REFERENCE.findall(body))
    body = _ID.sub(lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", body)
    body = _REFERENCE.sub(lambda found: found[0][: -len(found[1])] + f"{name}-{found[1]}", body)
    body = body.replace("xlink:href", "href")
    body = _FONT.sub(lambda found: f"{found[1]} inherit" if found[1] else "font-family: inherit", body)
    body = body.replace("font: ", "font-size: ").replace("px inherit", "px")
    for ink in Ink:
        body = body.replace(ink.value, f"var({ink.variable})")
    opening = (
        f'<svg viewBox="{view_box[1]}" role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(alternative)}</desc>'
    )
    return _OPENING.sub(lambda _: opening, body, count=1).strip()
