"""The header fields by which Dagster's page names to the API the person for whom it asks."""

from __future__ import annotations

ADDRESS_HEADER = "x-neonblue-client"
"""The person's IP address."""
PAGE_HEADER = "x-neonblue-page"
"""The secret that Dagster's page and the API share."""
