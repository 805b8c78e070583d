# Everything a person does with this tree. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

#: some images forbid Python to keep what it compiles: each of our processes would do it all again
export PYTHONDONTWRITEBYTECODE :=

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
NEEDS_PYTHON := Berth needs Python 3.11 or later: as root, apt-get install python3
#: of the demo's web site
PORT ?= 8000
BIN := .venv/bin
#: only the folders that exist: a program may live in its own clone
PROGRAMS := $(wildcard berth marketplace miner_agent protocol prover scripts validator)
#: these share one Docker Engine, its networks and its ports; the demo's own site is done with before
#: that of the journeys begins, whose schedule hurries until they end
DOCKER_TESTS := $(wildcard tests/miner_agent tests/demo tests/journeys)
BROWSER_TESTS := $(wildcard tests/browser)
#: those of them that ask no engine, and so may run beside the others
NO_ENGINE := $(wildcard $(addprefix tests/miner_agent/,domain facts packaging/test_install.py \
	packaging/test_here.py packaging/test_trial.py gpu/test_inventory.py gpu/test_mps.py \
	$(addprefix access/test_,crowd.py gateway.py kit.py) $(addsuffix .py,$(addprefix test_, \
	bad_replies changes failures job_files journal_schema kill_points last_word machine market \
	metrics mount_points outputs proofs retries settings steps supervisor support_bundle telemetry \
	volumes))))
ELSEWHERE := tests/concurrency $(DOCKER_TESTS) $(BROWSER_TESTS)
QUICK_TESTS := $(filter-out $(ELSEWHERE) %/__pycache__,$(patsubst %/,%,$(wildcard tests/*/))) $(NO_ENGINE)
POSTGRESQL_TESTS := $(wildcard tests/concurrency tests/marketplace)
#: the rule: PostgreSQL, which sites of any size have, runs all that asks or changes rows. SQLite, which
#: the demo and small sites have, runs what people and programs meet: pages, terminal, browser,
#: journeys, faults. What locks, or is written for each of them its own way, runs on both.
SQLITE_ALONE := $(wildcard $(addprefix tests/marketplace/,domain pages accounts/test_admin.py \
	accounts/test_client_address.py accounts/test_read_only.py accounts/test_ssh_key.py $(addprefix endpoints/test_,client.py \
	exchange.py gateway.py looks.py machines.py serving.py) \
	$(addprefix hostile/test_,forged.py who_may.py) jobs/test_client.py \
	money/test_ninety_days.py notices/test_client.py \
	$(addsuffix .py,$(addprefix test_,bodies celery_app described_api env gathering log_lines \
	security settings sync_limits watch))))
POSTGRESQL_ALONE := $(filter-out $(SQLITE_ALONE) $(addprefix %/test_,count_prices.py delete_account.py \
	export.py lock.py rentals.py summarise.py),$(wildcard \
	$(addprefix tests/marketplace/,$(addsuffix /test_*.py,accounts console endpoints jobs logs machines \
	notices own_data papers payments payouts rentals telemetry templates terminals verification \
	volumes)) \
	$(addprefix tests/marketplace/,money/test_stateful.py test_lists.py test_schemathesis.py)))

.PHONY: help setup demo test test-quick test-containers-then-postgresql test-all-else lint format test-sqlite test-docker test-postgresql \
	test-browser pictures requirements clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 18

setup: ## install what is missing: Debian packages, .venv, pinned Python packages (PRINT=1 only prints)
	@$(or $(PYTHON),$(error $(NEEDS_PYTHON))) scripts/setup.py $(if $(filter-out 0,$(PRINT)),--print)

demo: setup ## rent a real machine, end to end, and keep the site up (ONCE=1 stops after the story)
	@exec $(BIN)/python -m scripts.demo --port $(PORT) $(if $(filter-out 0,$(ONCE)),--once)

test: setup ## run everything that must hold: lint, types, contracts, all tests
	@# Two halves of about the same length: real containers are mostly waited for.
	$(MAKE) --no-print-directory --jobs 2 test-containers-then-postgresql test-all-else

test-containers-then-postgresql: setup
	@for part in test-docker test-postgresql; do
		$(MAKE) --no-print-directory --output-sync=target $$part
	done

test-all-else: setup
	@# Whoever waits for a container goes first; nothing of this is held to a time.
	for part in lint test-sqlite test-browser; do
		nice -n 10 $(MAKE) --no-print-directory --output-sync=target $$part
	done

test-quick: setup ## run all that needs no container: lint, test-sqlite, test-postgresql, test-browser
	@for part in lint test-sqlite test-postgresql test-browser; do
		$(MAKE) --no-print-directory --output-sync=target $$part
	done

lint: setup ## check style, types, import contracts, templates and migrations
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PROGRAMS)
	$(BIN)/lint-imports
	$(if $(wildcard templates),$(BIN)/djlint --lint --quiet templates,:)
	$(if $(wildcard manage.py),$(BIN)/python manage.py makemigrations --check --dry-run,:)

format: setup ## rewrite the sources in the one accepted style
	@$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

test-sqlite: setup ## run the tests that need no container and no PostgreSQL
	@$(BIN)/python -m pytest -n 2 --dist loadfile \
		$(addprefix --ignore=,$(POSTGRESQL_ALONE)) $(QUICK_TESTS)

test-docker: setup ## run the tests with real containers, one after the other
	@$(if $(DOCKER_TESTS),$(BIN)/python -m scripts.with_docker \
		$(BIN)/python -m pytest --durations=25 $(addprefix --ignore=,$(NO_ENGINE)) $(DOCKER_TESTS),echo "There are no tests with containers.")

test-postgresql: setup ## run the marketplace's tests and those about row locks on PostgreSQL
	@$(if $(POSTGRESQL_TESTS),$(BIN)/python scripts/with_postgresql.py \
		$(BIN)/python -m pytest -n 2 --dist loadfile \
		$(addprefix --ignore=,$(SQLITE_ALONE)) $(POSTGRESQL_TESTS),echo "There are no tests about row locks.")

test-browser: setup ## run the journeys of people in a real browser
	@$(if $(BROWSER_TESTS),$(BIN)/python -m pytest $(BROWSER_TESTS),echo "There are no tests in a browser.")

pictures: setup ## keep what people see in these journeys, for the documents
	@mkdir -p docs/images
	PICTURES=docs/images $(BIN)/python -m pytest $(addprefix tests/browser/test_,offers.py journey.py terminal.py hosting.py console.py)

requirements: setup ## pin requirements/*.txt anew from pyproject.toml
	@scripts/pin_requirements

clean: ## remove what setup and the tests made in this tree
	@rm -rf .venv .berth .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
