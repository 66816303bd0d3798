"""What a log line of NeonBlue's own processes is: how it is made, written, and read again.

A line is one JSON object: `timestamp`, `level`, `event` (a name, never a sentence), `service` (who writes), then the
event's fields, and `request_id`, `run_id` or `trace_id` where there is one. A library's own line has the event
``message`` and its text in the field `message`. No line holds a person's id, a property, a token or a password.
"""

from neonblue.log_lines.identity import REQUEST_ID, RUN_ID, TRACE_ID, of_process, run_of_process
from neonblue.log_lines.line import RESERVED, Line, read
from neonblue.log_lines.setup import ROOT_LEVEL, StandardLines, configure
from neonblue.log_lines.writer import LogLines, calm_logging

__all__ = [
    "REQUEST_ID",
    "RESERVED",
    "ROOT_LEVEL",
    "RUN_ID",
    "TRACE_ID",
    "Line",
    "LogLines",
    "StandardLines",
    "calm_logging",
    "configure",
    "of_process",
    "read",
    "run_of_process",
]
