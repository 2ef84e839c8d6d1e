.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PACKAGES := contracts infra services/command services/projector
TESTS ?= tests
ROWS ?= 1000000
ENTRIES ?= 1000000
SERVICE ?= pypi
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links $(addprefix --no-emit-package daybook-,$(notdir $(PACKAGES)))

.PHONY: help install run test chaos mutants soak check bench lint types imports schemas format lock audit sbom

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-9s %s\n", $$1, $$2}'

install: .venv/installed ## make .venv with everything in it, `daybook` too

run: install ## Kafka, PostgreSQL and both services, in the foreground; Ctrl-C stops them
	@exec $(BIN)/daybook up

test: install ## the whole test suite, on a real Kafka and a real PostgreSQL (TESTS=path for a part of it)
	$(BIN)/pytest $(TESTS)

chaos: install ## faults of every kind on a real stack, judged by a model (RUNS=3 SEED=1 MINUTES=2; docs/fault-testing.md)
	PYTHONPATH=tests $(BIN)/python -m chaos.run $(if $(RUNS),--runs $(RUNS)) $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

mutants: install ## services that each lack a protection, until the checker notices (MUTANT=what it lacks, RUNS=4)
	PYTHONPATH=tests $(BIN)/python -m chaos.mutants $(if $(MUTANT),--mutant '$(MUTANT)') $(if $(RUNS),--runs $(RUNS))

soak: install ## one fault a minute for MINUTES=30; memory and descriptors must stay flat (SEED=1; docs/fault-testing.md)
	PYTHONPATH=tests $(BIN)/python -m chaos.soak $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

check: lint types imports schemas test ## what CI runs: lint, types, import rules, schemas, tests

bench: install ## what an entry costs, a million dead letters (ROWS=), the secret scan, a dead instance (ENTRIES=), an org in quarantine, hostile bodies; no figure fails
	$(BIN)/python tests/bench/entry_timing.py
	$(BIN)/python tests/bench/loop_stalls.py
	$(BIN)/python tests/bench/dead_letters.py --rows $(ROWS)
	$(BIN)/python tests/bench/recovery.py --entries 10000 $(ENTRIES)
	$(BIN)/python tests/bench/poison.py
	$(BIN)/python tests/bench/secret_scan.py

lint: install ## ruff: rules and format
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet

types: install ## mypy, strict, tests included
	$(BIN)/mypy

imports: install ## who may import whom
	$(BIN)/lint-imports --no-logo

schemas: install ## the committed JSON Schemas are those of the code
	$(BIN)/python -m daybook_contracts.publish --check

format: install ## put the code into the house's form, and the schemas up to date
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format --quiet
	$(BIN)/python -m daybook_contracts.publish

lock: ## add to requirements.lock what pyproject.toml files newly ask for (UPGRADE=1: the newest version of everything)
	$(COMPILE) $(if $(UPGRADE),--upgrade) --group pyproject.toml:dev $(PACKAGES:%=%/pyproject.toml) --output-file requirements.lock

# --strict: a package that the service does not know fails the audit, so an unreachable service never looks like a clean result.
audit: install ## look for known vulnerabilities in requirements.lock (SERVICE=osv asks another service)
	$(BIN)/pip-audit --strict --vulnerability-service $(SERVICE) --disable-pip --require-hashes --progress-spinner off \
		--requirement requirements.lock

sbom: install ## write build/sbom.cdx.json (CycloneDX): what the packages need at run time, with versions and hashes
	@mkdir -p build
	$(COMPILE) --no-annotate --constraint requirements.lock $(PACKAGES:%=%/pyproject.toml) --output-file build/runtime.txt
	$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom.cdx.json build/runtime.txt

.venv/installed: requirements.lock $(PACKAGES:%=%/pyproject.toml)
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11; name a newer one: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(PACKAGES:%=--editable %)
	@touch $@
