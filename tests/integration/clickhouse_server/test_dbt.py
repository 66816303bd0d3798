"""dbt's own calls: a small project, run by the dbt command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ADMIN, Server

FILES = {
    "dbt_project.yml": """
name: small
profile: small
model-paths: [models]
seed-paths: [seeds]
snapshot-paths: [snapshots]
flags: {send_anonymous_usage_stats: false}
""",
    "seeds/countries.csv": "code,name\nde,Germany\nfr,\"La France; 'oui'\"\n",
    "models/numbers.sql": """
{{ config(materialized='table', engine='MergeTree()', order_by='day') }}
select toDate('2024-01-01') + number as day, number as value from numbers({{ var('days') }})
""",
    "models/named.sql": """
{{ config(materialized='view') }}
select upper(code) as code, name from {{ ref('countries') }}
""",
    "models/merged.sql": """
{{ config(materialized='incremental', incremental_strategy='delete_insert', unique_key='day', order_by='day') }}
select day, value + {{ var('shift') }} as value from {{ ref('numbers') }}
{% if is_incremental() %} where day >= (select max(day) from {{ this }}) {% endif %}
""",
    "models/replaced.sql": """
{{ config(
    materialized='incremental', incremental_strategy='insert_overwrite', partition_by='toYYYYMM(day)', order_by='day'
) }}
select day, value + {{ var('shift') }} as value from {{ ref('numbers') }}
{% if is_incremental() %} where toYYYYMM(day) = 202402 {% endif %}
""",
    "models/models.yml": """
models:
  - name: numbers
    columns:
      - name: day
        data_tests: [unique, not_null]
  - name: merged
    columns:
      - name: day
        data_tests: [unique]
""",
    "snapshots/seen.yml": """
snapshots:
  - name: seen
    relation: ref('countries')
    config: {unique_key: code, strategy: check, check_cols: [name]}
""",
}


@pytest.fixture
def project(server: Server, tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.strip() + "\n")
    output = {
        "type": "clickhouse",
        "driver": "http",
        "host": "127.0.0.1",
        "port": server.port,
        "user": ADMIN[0],
        "password": ADMIN[1],
        "schema": "small",
        "threads": 4,
        "use_lw_deletes": True,
    }
    (tmp_path / "profiles.yml").write_text(json.dumps({"small": {"target": "t", "outputs": {"t": output}}}))
    return tmp_path


def dbt(project: Path, *arguments: str, **variables: int) -> None:
    command = [
        str(Path(sys.executable).with_name("dbt")),
        *arguments,
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--vars",
        json.dumps(variables),
    ]
    environment = os.environ | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    ended = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]


@pytest.mark.skipif(
    shutil.which("dbt", path=str(Path(sys.executable).parent)) is None,
    reason="dbt is not installed: install neonblue[orchestration]",
)
def test_build_twice(server: Server, project: Path) -> None:
    def rows(query: str) -> list[list[int]]:
        text = server.post(query, default_format="JSONCompactEachRow", database="small").text
        return [[int(value) for value in json.loads(line)] for line in text.splitlines()]

    dbt(project, "build", days=50, shift=0)
    assert rows("SELECT count(), sum(value) FROM numbers") == [[50, 1225]]
    assert rows("SELECT count(), sum(value) FROM merged") == [[50, 1225]]
    assert rows("SELECT count() FROM seen") == [[2]]
    assert (
        server.post("SELECT name FROM named WHERE code = 'FR'", database="small").text
        == "La France; \\'oui\\'\n"
    )

    dbt(project, "build", days=52, shift=1000)
    assert rows("SELECT count(), sum(value) FROM numbers") == [[52, 1326]]
    # Rebuilt from the last day on: days 49, 50 and 51.
    assert rows("SELECT count(), sum(value) FROM merged") == [[52, 1326 + 3 * 1000]]
    # February, and only February, was replaced: days 31 to 51.
    assert rows("SELECT count(), sum(value) FROM replaced") == [[52, 1326 + 21 * 1000]]
