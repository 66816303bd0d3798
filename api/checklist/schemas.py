"""What a checklist tells."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from api.experiments import examples
from api.experiments.readiness import ChecklistItem, Grade
from neonblue.contract.life_cycle import Status


class Checklist(BaseModel):
    """What to look at before the start; of an experiment that has started, whether its numbers can be trusted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "experiment": "checkout-2026",
                    "experiment_id": 7,
                    "experiment_status": "draft",
                    "status": "ok",
                    "items": [examples.CHECKED],
                }
            ]
        }
    )

    experiment: str
    experiment_id: int
    experiment_status: Status = Field(description="Where the experiment stands; the items follow from it")
    status: Grade = Field(description="The worst of the items: ok, warning or blocking")
    items: list[ChecklistItem]
