# Every verb installs what it needs; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.demo-installed
WORKERS ?= 2
# Commands are started by the hundred in tests: without bytecode each of them would compile the engine anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the verbs.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@echo "Making the virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; this is " + sys.version) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

$(DEMO_STAMP): pyproject.toml | $(VENV)/bin/python
	@echo "Installing Groundplan with its plugins and the sandbox (about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

$(STAMP): pyproject.toml | $(VENV)/bin/python
	@echo "Installing Groundplan with what its tests need (a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(DEMO_STAMP)

install: $(DEMO_STAMP) ## Make the virtual environment and install everything that the demo needs.

demo: $(DEMO_STAMP) ## Run the main job on this machine: no account, no daemon. ENV_TYPE chooses the environment.
	@$(BIN)/python docs/tutorial/demo.py up

demo-down: $(DEMO_STAMP) ## Tear the demo down: environment, sandbox and home.
	@$(BIN)/python docs/tutorial/demo.py down

lint: style checks ## Style, types and import contracts.

style: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

checks: $(STAMP)
	@$(BIN)/mypy
	@$(BIN)/lint-imports

tests: $(STAMP)
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal -m 'not live' tests

# Tests wait now and then; types and contracts, a minute's work in a fresh checkout, are checked meanwhile.
test: style ## Lint, types, contracts and every test that needs pip packages only.
	@$(MAKE) --no-print-directory --jobs 2 checks tests

live: $(STAMP) ## The contract suites against real parts, which are built or installed first (about 25 minutes once).
	@$(BIN)/python tests/live/build.py
	@$(BIN)/pytest -m live tests

nightly: $(STAMP) ## Made-up and spoilt blueprints by the hundred thousand; drivers, workers and servers killed by the hundred (an hour or more).
	@$(BIN)/python tests/live/build.py temporal
	@GROUNDPLAN_WORKER_KILLS=100 $(BIN)/pytest -m live -s tests/trouble/test_killing_workers.py
	@GROUNDPLAN_FUZZ=100000 $(BIN)/pytest -n $(WORKERS) --timeout 14400 tests/dsl/test_fuzz.py tests/dsl/test_fuzz_structures.py
	@GROUNDPLAN_KILLS=200 GROUNDPLAN_KILLS_PAGE=docs/benchmarks.md $(BIN)/pytest tests/trouble/test_killing.py

docs: $(STAMP) ## Write the generated pages of docs/reference.
	@$(BIN)/python docs/reference/write_cli.py
	@$(BIN)/python docs/reference/write_aws.py

check-corpus: $(STAMP) ## Hold the parser against the recorded cases of the Cloudify DSL, where they are at hand.
	@$(BIN)/python ../shared/corpus/check.py --command '$(BIN)/groundplan'

bench: $(STAMP) ## Measure; prints tables.
	@for bench in tests/benchmarks/bench_*.py; do $(BIN)/python $$bench; done

wheel: $(STAMP) ## Build the wheel into dist/.
	@$(BIN)/python -m build --wheel --outdir dist .

clean: ## Remove what the verbs made, but for the demo's home.
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.PHONY: help install demo demo-down lint style checks test tests live nightly docs check-corpus bench wheel clean
