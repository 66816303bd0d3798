"""The frame of every page. Without scripts and styles of its own: those are files, as the content policy wants it."""

from __future__ import annotations

from collections.abc import Sequence

LOGO = '<img src="{icon}" alt="" width="28" height="28"> '


def document(title: str, body: str, styles: Sequence[str], icon: str, refresh: int | None = None) -> str:
    """A whole page. styles, icon: paths from the page on. refresh: seconds after which the browser asks anew."""
    sheets = "".join(f'<link rel="stylesheet" href="{style}">\n' for style in styles)
    again = f'<meta http-equiv="refresh" content="{refresh}">\n' if refresh is not None else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{again}<title>{title}</title>
<link rel="icon" href="{icon}" type="image/svg+xml">
{sheets}</head>
<body>
{body}
</body>
</html>
"""
