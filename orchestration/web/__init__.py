"""Dagster's web page behind the API's sign-in: `python -m orchestration.web WORKSPACE_FILE`.

A viewer reads, an editor changes. Whoever the API does not know gets the sign-in page, a liveness answer, nothing else.
"""
