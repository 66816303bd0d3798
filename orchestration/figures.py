"""Small pictures for Dagster's page, as Markdown images that hold their own data. Imported where one is drawn."""

from __future__ import annotations

import base64
import io

from matplotlib.figure import Figure

COLOURS = {"better": "#1a7f37", "worse": "#c0392b", "undecided": "#57606a", "unknown": "#57606a"}
NOTHING = "There is nothing to draw yet."


def image(figure: Figure, alternative: str) -> str:
    """The figure as a Markdown image."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return f"![{alternative}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})"
