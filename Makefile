.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PACKAGES := contracts contracts/client infra services/command services/projector
TESTS ?= tests
ROWS ?= 1000000
ENTRIES ?= 1000000
WALKED ?= 100000
SERVICE ?= pypi
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links $(addprefix --no-emit-package daybook-,$(notdir $(PACKAGES)))

.PHONY: help install wheels run test chaos mutants soak check bench bench-large lint types imports schemas format lock audit sbom

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-11s %s\n", $$1, $$2}'

install: .venv/installed ## create .venv with all dependencies and the `daybook` command

wheels: install ## build the wheels of the client and the contracts in build/wheels
	@rm -rf build/wheels
	$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir build/wheels contracts
	$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir build/wheels contracts/client

run: install ## run Kafka, PostgreSQL and both services in the foreground; Ctrl-C stops them
	@exec $(BIN)/daybook up

test: install tests/node/node_modules ## run the test suite on a real Kafka and PostgreSQL (TESTS=path for a part)
	$(BIN)/pytest $(TESTS)

chaos: install ## inject faults into a real stack and check the outcome (RUNS=3 SEED=1 MINUTES=2; docs/fault-testing.md)
	PYTHONPATH=tests $(BIN)/python -m chaos.run $(if $(RUNS),--runs $(RUNS)) $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

mutants: install ## remove one protection at a time, and check that the loss is noticed (MUTANT=its name, RUNS=4)
	PYTHONPATH=tests $(BIN)/python -m chaos.mutants $(if $(MUTANT),--mutant '$(MUTANT)') $(if $(RUNS),--runs $(RUNS))

soak: install ## inject a fault per minute for MINUTES=30; memory and descriptors must stay flat (SEED=1)
	PYTHONPATH=tests $(BIN)/python -m chaos.soak $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

tests/node/node_modules: tests/node/package-lock.json | .venv/installed
	cd tests/node && ../../$(BIN)/npm ci --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

check: lint types imports schemas test ## run what CI runs: lint, types, imports, schemas, test

bench: .venv/bench-installed ## measure the figures of docs/performance.md (9 to 10 minutes); results in build/bench
	$(BIN)/python tests/bench/mixed_kafka.py
	$(BIN)/python tests/bench/one_client.py
	$(BIN)/python tests/bench/http_echo.py
	$(BIN)/python tests/bench/http_batches.py
	$(BIN)/python tests/bench/projector_bulk.py
	$(BIN)/python tests/bench/cached_orgs.py
	$(BIN)/python tests/bench/stalls.py --only saturated
	$(BIN)/python tests/bench/overload.py
	$(BIN)/python tests/bench/performance_table.py

bench-large: .venv/bench-installed ## measure the figures that take longer, and run all other benchmarks (ROWS=, ENTRIES= and WALKED= are sizes)
	$(BIN)/python tests/bench/stalls.py --only takeover
	$(BIN)/python tests/bench/stalls.py --only crowd
	$(BIN)/python tests/bench/cached_orgs.py --orgs 150000 --mib 1000
	$(BIN)/python tests/bench/large_history.py
	$(BIN)/python tests/bench/performance_table.py
	$(BIN)/python tests/bench/floors.py
	$(BIN)/python tests/bench/decide_batch.py
	$(BIN)/python tests/bench/entry_timing.py
	$(BIN)/python tests/bench/loop_stalls.py
	$(BIN)/python tests/bench/dead_letters.py --rows $(ROWS)
	$(BIN)/python tests/bench/recovery.py --entries 10000 $(ENTRIES)
	$(BIN)/python tests/bench/poison.py
	$(BIN)/python tests/bench/rebuild.py
	$(BIN)/python tests/bench/rebuild_live.py
	$(BIN)/python tests/bench/secret_scan.py
	$(BIN)/python tests/bench/client_overhead.py
	$(BIN)/python tests/bench/audit_verify.py
	$(BIN)/python tests/bench/audit_export.py --entries 10000 $(ENTRIES)
	$(BIN)/python tests/bench/audit_fold.py
	$(BIN)/python tests/bench/read_api.py --rows $(ROWS)
	$(BIN)/python tests/bench/read_walks.py --rows $(WALKED)
	$(BIN)/python tests/bench/read_streams.py
	$(BIN)/python tests/bench/read_your_writes.py
	$(BIN)/python tests/bench/read_pages.py

lint: install ## check rules and format with ruff
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet

types: install ## check types with mypy, strict, tests included
	$(BIN)/mypy

imports: install ## check which module imports which
	$(BIN)/lint-imports --no-logo

schemas: install ## check that the committed JSON Schemas and the client's command classes match the models
	$(BIN)/python -m daybook_contracts.publish --check
	$(BIN)/python contracts/client/generate_commands.py --check

format: install ## format the code, and regenerate the JSON Schemas and the client's command classes
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format --quiet
	$(BIN)/python -m daybook_contracts.publish
	$(BIN)/python contracts/client/generate_commands.py

lock: ## add new dependencies to the lock files (UPGRADE=1: upgrade all)
	$(COMPILE) $(if $(UPGRADE),--upgrade) --all-extras --group pyproject.toml:dev $(PACKAGES:%=%/pyproject.toml) --output-file requirements.lock
	$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements.lock tests/bench/requirements.in --output-file tests/bench/requirements.lock

# --strict: a package that the service does not know fails the audit, so an unreachable service never looks like a clean result.
audit: install ## check requirements.lock for known vulnerabilities (SERVICE=osv uses another service)
	$(BIN)/pip-audit --strict --vulnerability-service $(SERVICE) --disable-pip --require-hashes --progress-spinner off \
		--requirement requirements.lock

sbom: install ## write build/sbom.cdx.json (CycloneDX): the runtime dependencies with versions and hashes
	@mkdir -p build
	$(COMPILE) --no-annotate --constraint requirements.lock $(PACKAGES:%=%/pyproject.toml) --output-file build/runtime.txt
	$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom.cdx.json build/runtime.txt

.venv/bench-installed: tests/bench/requirements.lock .venv/installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement tests/bench/requirements.lock
	@touch $@

.venv/installed: requirements.lock $(PACKAGES:%=%/pyproject.toml)
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11; name a newer one: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(PACKAGES:%=--editable %)
	@touch $@
