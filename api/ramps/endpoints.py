"""Ramps over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.access.dependencies import Editor, Viewer
from api.experiments.answers import ExperimentAnswer
from api.experiments.endpoints import Key, shown
from api.http.etags import IfMatch
from api.http.parts import part
from api.ramps.schemas import RampDone, RampEvidence, RampProgress, RampWord
from api.ramps.service import RampService, Word

router = APIRouter(prefix="/v1/experiments", tags=["ramps"])

Service = Annotated[RampService, Depends(part(RampService))]


@router.get("/{key}/ramp")
async def get_ramp(key: Key, service: Service, _: Viewer) -> RampProgress:
    """The ramp's steps, taken and to come, when the next one is due, and why it waits."""
    return await service.show(key)


@router.post("/{key}/ramp/due")
async def take_due_ramp_step(key: Key, seen: RampEvidence, service: Service, actor: Editor) -> RampDone:
    """Do what is due by what was seen: the next step, what a breach asks for, or nothing. Safe to repeat.

    `position` says at which step it was seen: at another one nothing is done. What is null could not be
    read, and waits.
    """
    return await service.take_due(key, seen, actor)


def _saying(word: Word) -> Callable[..., Awaitable[ExperimentAnswer]]:
    async def say(
        key: Key,
        why: RampWord,
        service: Service,
        actor: Editor,
        response: Response,
        if_match: IfMatch = None,
    ) -> ExperimentAnswer:
        return shown(response, await service.say(key, word, why.reason, if_match, actor))

    return say


_WORDS: Mapping[Word, str] = {
    "hold": "Stay at the present step until `continue`. The allocation stays as it is.",
    "continue": "Go on after `hold` or `back`. The time that was spent at the step counts; enrolment that `back` "
    "closed is open again.",
    "skip": "Take the next step now, whatever its time, units and guardrails say.",
    "back": "Take the ramp back as far as it can be: hold it, and close the enrolment. Who is in keeps the variant; to "
    "put everybody on the control, `roll_back` the experiment. `continue` undoes it.",
}
for _word, _sentence in _WORDS.items():
    router.add_api_route(
        f"/{{key}}/ramp/{_word}",
        _saying(_word),
        methods=["POST"],
        name=f"{_word}_ramp",
        description=_sentence,
    )
