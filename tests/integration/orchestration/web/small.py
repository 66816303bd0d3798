"""Definitions for a page of a test's own: an asset, and a sensor that runs."""

from dagster import DefaultSensorStatus, Definitions, SensorEvaluationContext, SkipReason, asset, sensor


@asset
def greeting() -> str:
    return "hello"


@sensor(name="guardrails", default_status=DefaultSensorStatus.RUNNING, asset_selection="greeting")
def guardrails(_: SensorEvaluationContext) -> SkipReason:
    return SkipReason("nothing to do")


definitions = Definitions(assets=[greeting], sensors=[guardrails])
