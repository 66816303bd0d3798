"""The assets that jobs, schedules and checks name."""

from dagster import AssetKey

TESTS = AssetKey("significance_tests")
STAGES = AssetKey("sample_ratio_stages")
DECISION = AssetKey("experiment_decision")
REPORT = AssetKey("experiment_report")
OVERVIEW = AssetKey("weekly_overview")
RATES = AssetKey("randomization_rates")
