# Few verbs. Everything else is `samhub --help`.
.DEFAULT_GOAL := help
.PHONY: help setup demo serve check test soak interop lint bench

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
#: Two for each processor: while one waits, another computes.
PROCESSES := $(shell echo $$((2 * $$(nproc 2>/dev/null || echo 2))))
# Hubs and commands begin in their hundreds: compiled once, whatever the environment says, they begin in half the time.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/ready ## a virtual environment with everything pinned by hash
$(VENV)/ready: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python's venv module is missing: install it (Debian: apt-get install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The client for AMQP 1.0 has no wheel: it is compiled, for the tests only, or for who asks for the extra amqp10.
$(VENV)/amqp10: requirements-amqp10.lock $(VENV)/ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation -r requirements-amqp10.lock || { echo "python-qpid-proton could not be compiled; it needs (Debian): apt-get install gcc pkg-config libssl-dev python3-dev"; exit 1; }
	@touch $@

# Programs of another language, for the tests only: Node comes with the requirements, their packages by locks of their own.
$(VENV)/npm/ready: tests/soap/npm/package-lock.json tests/tokens/npm/package-lock.json $(VENV)/ready
	@for part in soap tokens; do \
		mkdir -p $(VENV)/npm/$$part && cp tests/$$part/npm/package*.json $(VENV)/npm/$$part/ && \
		(cd $(VENV)/npm/$$part && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || exit 1; \
	done
	@touch $@

demo: setup ## two hubs and a small sector on this machine exchange messages, faults included
	@$(BIN)/samhub demo $(ARGS)

serve: setup ## makes a configuration if there is none, and runs the hub
	@test -f samhub.toml || test -f site/samhub.toml || $(BIN)/samhub init site
	@$(BIN)/samhub serve --config $$(test -f samhub.toml && echo samhub.toml || echo site/samhub.toml)

check: lint ## within a minute: lint, and the tests that need nothing but Python
	@$(BIN)/python -m pytest -q -n 2 tests/unit tests/structure tests/conformance/test_store_*.py -k "not postgres" $(ARGS)

test: setup ## all tests, several at once, with the counts told; ARGS="-n 0": one at a time, ARGS=--all: every mutant
	@sh tests/programs.sh
	@$(MAKE) --no-print-directory $(VENV)/amqp10 $(VENV)/npm/ready
	@$(BIN)/python -m pytest -n $(PROCESSES) $(ARGS)

soak: setup ## an hour of faults, counted from outside, which writes docs/promises.md; ARGS="--minutes 5 --seed NAME"
	@$(BIN)/python -m tests.soak $(ARGS)

interop: setup ## SOAP clients that Java's toolkits generate (Apache CXF, JAX-WS RI); needs a JDK 17 and Maven
	@$(BIN)/python -m pytest -n 0 -q tests/soap/java/witness.py $(ARGS)

lint: setup ## format, style, types and floors
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: setup ## the figures, each with its floor, in one run
	@$(BIN)/samhub bench $(ARGS)
