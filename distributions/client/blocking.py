"""Makes the client that blocks from the one for asyncio, so that their calls, types and docstrings are the same.

    python distributions/client/blocking.py      (make client)

`asynchronous.py` is written; `sync.py` is it without `async` and `await`. What differs between the two worlds stands in
pairs of modules that both name alike but for `async`: connections, the delivery of events, the refresher.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parents[2] / "neonblue" / "client"
WRITTEN, MADE = CLIENT / "asynchronous.py", CLIENT / "sync.py"

_RULES = (
    (r"\basync_(?=[a-z])", ""),
    (r"\b(?:async|await) ", ""),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
)
_SAID = (
    (
        "The client for asyncio programs.",
        "The client for programs that block. Made from asynchronous.py by `make client`: change that one.",
    ),
    (
        "Talks to NeonBlue's API from one event loop at a time; the same calls and times as `Client`.",
        "Talks to NeonBlue's API; may be shared by threads, and used on both sides of a fork.",
    ),
    ("only queue. A task sends", "only queue. A thread sends"),
    (
        "`close` and the end of the `async with` block, not at the program's exit:\n"
        "    what waited when an event loop ended is sent by the next one, or by `close`.",
        "`close`, the end of the `with` block and the program's exit.",
    ),
    ("Waits while the queue is full", "Blocks while the queue is full"),
)
"""What is true of one of them only. Each stands in `asynchronous.py` once."""


def blocking(source: str) -> str:
    """The same module for programs that block. Raises ValueError where a sentence of `_SAID` is not there once."""
    for asynchronous, sync in _SAID:
        if source.count(asynchronous) != 1:
            raise ValueError(f"asynchronous.py must say once: {asynchronous}")
        source = source.replace(asynchronous, sync)
    for pattern, replacement in _RULES:
        source = re.sub(pattern, replacement, source)
    for step in (("check", "--select=I,UP034", "--fix-only"), ("format",)):
        command = [sys.executable, "-m", "ruff", *step, "--quiet", f"--stdin-filename={MADE}", "-"]
        source = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    return source


if __name__ == "__main__":
    MADE.write_text(blocking(WRITTEN.read_text()))
