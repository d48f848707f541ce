# `make help` lists what there is. Needs Python 3.11+ and make; everything else comes from packages.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
UV_VERSION := 0.13.8
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-apps lint bench bench-peers torture mutants lock clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## install what the lock file names into .venv

$(STAMP): uv.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "duplex needs Python 3.11, 3.12 or 3.13; none was found: set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv export --quiet --frozen --all-extras --no-emit-project --output-file .venv/requirements.txt >/dev/null
	@echo "installing $$(grep -c '^[a-z]' .venv/requirements.txt) locked packages into .venv" >&2
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r .venv/requirements.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

demo: setup ## two databases kept in step before your eyes (ARGS="--example crm-erp", ARGS="--once --json")
	@$(BIN)/duplex demo $(ARGS)

test: setup ## every test, on real Kafka and real Postgres (ARGS="-k name" to choose)
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-apps: setup ## install Ghost, Tryton, Debezium and a schema registry, once, outside the tree, and test against them
	@$(BIN)/python -m duplex.examples
	@$(BIN)/python -m tests.apps.debezium.installing
	@$(BIN)/python -m tests.apps.registry.installing
	@DUPLEX_TEST_APPS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -rs tests/apps $(ARGS)

lint: setup ## ruff, mypy --strict, import-linter, schema compatibility
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m schemas.compatibility

bench: setup ## our own benchmarks, and the bars that they can judge (ARGS="relay sink --rounds 5"; ARGS=sweeps for the plots)
	@$(BIN)/python -m benchmarks $(ARGS)

bench-peers: setup ## duplex beside Debezium, SymmetricDS, Bucardo and native replication in one run (ARGS="debezium --rounds 3")
	@$(BIN)/python -m benchmarks.peers $(ARGS)

torture: setup ## the long campaigns: capture under 300 clients, kills in mid-burst (HISTORIES=n SEED=s: simulated histories; ARGS="applications": those of applications without a log)
	@$(BIN)/python -m tests.torture $(if $(HISTORIES),histories --histories $(HISTORIES) $(if $(SEED),--seed $(SEED)) $(if $(WORKERS),--workers $(WORKERS))) $(ARGS)

mutants: setup ## plant each known mistake in the merge and around it, and see that the simulation notices
	@$(BIN)/python -m tests.simulation.mutants $(ARGS)

lock: ## resolve the dependencies anew
	@$(BIN)/uv lock --upgrade
	@$(BIN)/python tools/lock.py

clean: ## remove the environment and caches (embedded servers' data stays; see `duplex dev stop --wipe`)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
