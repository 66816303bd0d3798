"""What the results call answers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Results(BaseModel):
    """The newest run: one item for each metric and treatment, with the columns of `experiment_results`."""

    experiment: str
    experiment_id: int
    items: list[dict[str, Any]]
