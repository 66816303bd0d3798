# NeonBlue. Two commands do all the set-up: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OSV ?= https://api.osv.dev
LOCKED := --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-annotate --no-header
DATA ?= .neonblue
LIVES ?= 2000
BUILDING := $(addprefix tests/integration/,dbt_project orchestration results)
QUICK := log_files openfeature queries users_erasure

.DEFAULT_GOAL := help
# Python keeps what it compiles: without, each of the many processes compiles it all again at its start.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup demo test unit versions integration end-to-end end-to-end-quick faults first-hour image lint format docs lock coverage calibration lopsided strata ramps lives audit sbom wheels wheels-test client dashboards dashboard-pictures clean

help: ## show the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## make .venv with everything that is needed, pinned and verified

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing. Install Python 3.11, 3.12 or 3.13 (Debian, Ubuntu: apt-get install python3 python3-venv)."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "$$($(PYTHON) --version) is not supported: install Python 3.11, 3.12 or 3.13, or name one: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing: install it (Debian, Ubuntu: apt-get install python3-venv)."; exit 1; }
	@[ "$$(uname -sm)" = "Linux x86_64" ] || echo "Note: NeonBlue is tested on Linux x86_64; this is $$(uname -sm)."
	@echo "Installing into $(VENV): about 550 MB to download where no cache has them, 2.1 GB of disk. One to three minutes."
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@awk '/^[a-z]/ {keep = /^uv==/} keep' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $(STAMP)

demo: setup ## start the whole platform, run a live experiment, print its results; Ctrl-C stops it
	@$(BIN)/neonblue demo

test: lint unit integration ## lint, unit and integration tests, on real services

unit: setup ## the unit tests alone
	@$(BIN)/pytest -n 2 --dist worksteal tests/unit

versions: ## the unit tests under each Python that is promised and found here (2 GB for a while, minutes each)
	@$(PYTHON) tests/versions.py

integration: setup ## each part against real services
	@# Those that build models have no bounds of seconds: three at once. All are run, whichever fail.
	@$(BIN)/pytest -n 2 --dist loadscope tests/integration $(BUILDING:%=--ignore=%); bound=$$?; \
	$(BIN)/pytest -n 3 --dist loadscope $(BUILDING) && exit $$bound

end-to-end: setup ## the whole platform with real data, faults and replays
	@$(BIN)/pytest tests/end_to_end

end-to-end-quick: setup ## those of them that take a minute or two each, on one stack for all
	@$(BIN)/pytest $(QUICK:%=tests/end_to_end/test_%.py)

faults: setup ## five short fault runs, each of another seed, two at a time on stacks of their own (six minutes)
	@seq 5 | xargs -P 2 -I SEED $(BIN)/neonblue faults --seed SEED --minutes 0.5 --recovery 300

first-hour: ## walk through README as a new user: not root, an empty cache, a path with a space (ten minutes)
	@$(PYTHON) tests/first_hour.py $(PYTHON)

image: setup ## build the container images with buildah on a base of mmdebstrap, and run them (root; ten minutes, 6 GB for a while)
	@$(BIN)/python -m tests.image

lint: setup ## format, style, types, import rules, dead code, SQL
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.dead_code
	@$(BIN)/sqlfluff lint --processes 2 dbt_project

docs: setup ## the pages as a site, in build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

format: setup ## rewrite Python and SQL in the project's style
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

coverage: setup ## the branches of the statistics that its tests take: all of them
	@$(BIN)/coverage run --branch --source neonblue/statistics -m pytest tests/unit/statistics tests/unit/cli/test_analyze.py
	@$(BIN)/coverage report --show-missing --skip-covered --fail-under 100

calibration: setup ## simulate the statistics' error rates (minutes) and write the table in docs/statistics.md
	@$(BIN)/python -m tests.calibration

lopsided: setup ## simulate lopsided arms of skewed metrics (minutes) and write their tables in docs/statistics.md
	@$(BIN)/python -m tests.calibration --lopsided

strata: setup ## simulate comparisons over versions of different shares (minutes) and write their table in docs/statistics.md
	@$(BIN)/python -m tests.calibration --strata

ramps: setup ## play 2,000 harmless ramps and some harmful ones (ten minutes) and write their table in docs/statistics.md
	@$(BIN)/python -m tests.calibration --ramps

lives: setup ## play whole lives of experiments and write their table in docs/statistics.md: LIVES=2000 of each family
	@$(BIN)/python -m neonblue.simulation.lives --lives $(LIVES) --keep docs/lives.jsonl --page docs/statistics.md

audit: setup ## ask OSV for known advisories on every locked part (sends their names and versions): OSV=https://… for a mirror
	@$(BIN)/python -m neonblue.supply_chain.advisories --service $(OSV)

sbom: setup ## write sbom.json: every locked part and embedded engine, in CycloneDX
	@$(BIN)/python -m neonblue.supply_chain.sbom sbom.json

wheels: setup ## build both wheels in dist/: neonblue-client, and neonblue, which needs it
	@$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --wheel --out-dir dist distributions/client
	@$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --wheel --out-dir dist .
	@ls -s --block-size=kB dist/*.whl

wheels-test: setup ## both wheels and every extra in fresh environments (six minutes, 2 GB for a while)
	@$(BIN)/python -m tests.wheels

client: setup ## make the client that blocks from the one for asyncio
	@$(BIN)/python distributions/client/blocking.py

dashboards: setup ## write Grafana's dashboards in compose/grafana/dashboards
	@$(BIN)/python -m neonblue.dashboards

dashboard-pictures: setup ## draw them in dashboard-pictures/ from a stack that runs with monitoring: DATA=its folder
	@$(BIN)/python -m tests.dashboards $(DATA) dashboard-pictures

lock: ## resolve the Python packages anew
	@[ -x $(BIN)/uv ] || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; }
	@$(BIN)/uv pip compile --quiet pyproject.toml --extra all --group dev $(LOCKED) --no-emit-package neonblue-client --upgrade -o requirements.lock
	@$(BIN)/uv pip compile --quiet pyproject.toml --extra containers $(LOCKED) --no-emit-package neonblue-client --constraint requirements.lock --upgrade -o compose/requirements.lock

clean: ## remove .venv and caches (the data folder stays)
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
