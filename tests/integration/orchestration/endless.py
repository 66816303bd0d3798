"""A job that runs until it is ended, for a code server of a test's own."""

import time

from dagster import Definitions, job, op


@op
def wait() -> None:
    while True:
        time.sleep(0.1)


@job
def endless() -> None:
    wait()


definitions = Definitions(jobs=[endless])
