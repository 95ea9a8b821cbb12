# Perdure. `make run` starts it and shows what it does; `make test` checks all of it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test test-production check audit wheel lock bench evaluate record replay migrate samples coverage clean setup-run setup-dev tools
# Without bytecode, Temporal's sandbox compiles the workflows anew for each that runs.
unexport PYTHONDONTWRITEBYTECODE
PYTHON_BIN := .venv/bin/python
# Those of the embedded form that ask for nothing embedded by its name.
PRODUCTION_TESTS := $(addprefix tests/integration/test_,$(addsuffix .py,documents operations search session quick_transactions \
	row_level_security chunk_repository secrets reconciler lost_answers rate_stores object_store health exports \
	retention)) \
	tests/api/test_two_organisations.py tests/production

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | column -t -s '|'

run: setup-run  ## Set up, start everything, ingest the samples, answer a question, go on serving
	@.venv/bin/perdure up --demo

test: setup-dev tools check wheel  ## Set up, then lint, types, import rules, the wheel and all tests
	$(PYTHON_BIN) -m pytest

test-production: setup-dev  ## The tests on PostgreSQL-backed Temporal, PgBouncer, S3 and Redis
	@scripts/production_parts.sh
	PERDURE_TEST_FORM=production $(PYTHON_BIN) -m pytest $(PRODUCTION_TESTS) $(ARGUMENTS)

check: setup-dev  ## Lint, format, types, import rules, security lint
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/bandit --quiet --configfile pyproject.toml --recursive perdure workflows activities api worker.py migrations scripts

audit: setup-dev  ## Look all locked packages up in a list of known vulnerabilities
	$(PYTHON_BIN) -m scripts.audit

wheel: setup-dev  ## Build the wheel and install it into a fresh virtual environment
	$(PYTHON_BIN) -m scripts.check_wheel

lock: setup-dev  ## Resolve the dependencies anew: requirements/*.txt (`make lock ARGUMENTS=--upgrade`)
	scripts/lock.sh $(ARGUMENTS)

bench: setup-dev tools  ## Measure the figures that the README states (`make bench ARGUMENTS="accept --quick"`)
	@scripts/setup.sh bench
	$(PYTHON_BIN) -m bench $(ARGUMENTS)

evaluate: setup-dev tools  ## Measure how well memory finds and texts are classified (`ARGUMENTS="DIRECTORY --direct"`, `classification`)
	$(PYTHON_BIN) -m bench.evaluation $(ARGUMENTS)

record: setup-dev tools  ## Record workflow histories into tests/replay/histories (`ARGUMENTS=rotate_keys`)
	$(PYTHON_BIN) -m scripts.record_histories $(ARGUMENTS)

replay: setup-dev  ## Replay recorded workflow histories with this code
	$(PYTHON_BIN) -m pytest tests/replay

migrate: setup-run  ## Bring the configured database to the newest schema
	.venv/bin/perdure migrate

samples: setup-dev  ## Make samples/ anew
	$(PYTHON_BIN) -m scripts.make_samples

coverage: setup-dev tools  ## All tests with branch coverage
	$(PYTHON_BIN) -m pytest --cov --cov-report=term-missing:skip-covered

clean:  ## Remove what was built; your data in .perdure stays
	rm -rf .venv .tools build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov

setup-run:
	@scripts/setup.sh run

setup-dev:
	@scripts/setup.sh dev

tools: setup-dev
	@scripts/temporal.sh
	@scripts/test_server.sh
	@scripts/helm.sh
