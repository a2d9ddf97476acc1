# All targets for development; `make help` lists them.
PYTHON ?= python3
MIEN := .venv/bin/mien
PIP := .venv/bin/python -m pip --disable-pip-version-check -q
# Parallel test processes, more than two cores can run: many tests wait for other processes.
WORKERS ?= 4
PARALLEL := -q -n $(WORKERS) --dist loadscope
# For Linux, macOS and Windows, Python 3.11 and later; wheels only, so that no code of a package runs at its installation.
LOCK := .venv-tools/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --only-binary :all: \
	--emit-build-options --no-emit-index-url --no-emit-find-links --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help install install-train demo test test-fast lint bench soak chaos attack compose-test lock sbom audit screenshots clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

install: .venv/runtime ## create .venv/bin/mien

install-train: .venv/dev ## the same with what training and tests need

demo: .venv/runtime ## run three simulated cameras and the dashboard; Ctrl-C stops
	@exec $(MIEN) demo

test: .venv/dev lint ## run lint, types, import rules and all tests
	.venv/bin/pytest $(PARALLEL)

test-fast: .venv/dev ## run the unit tests only: no servers, browser or training
	.venv/bin/pytest $(PARALLEL) -m "not integration" --ignore=tests/integration --ignore=tests/training \
		--ignore=tests/benchmarks --ignore-glob='*/test_train*.py'

lint: .venv/dev ## check style, types and import rules only
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: .venv/dev ## measure this machine, write docs/benchmarks.md (MIEN_DATA names the data folder)
	.venv/bin/python -m benchmarks
	.venv/bin/python -m benchmarks.readme

soak: .venv/dev ## measure memory during ten minutes of eight cameras, write docs/benchmarks.md
	.venv/bin/python -m benchmarks --only memory
	.venv/bin/python -m benchmarks.readme

chaos: .venv/dev ## inject faults, count lost and doubled frames, write docs/reliability.md
	.venv/bin/python -m tests.chaos --report docs/reliability.md

attack: .venv/dev ## run the tests that attack what docs/security.md promises
	.venv/bin/pytest $(PARALLEL) $(sort $(shell grep -oE 'tests/[a-z_/]+[.]py' docs/security.md))

compose-test: .venv/dev ## run compose.yaml for real: faults, more workers, a browser; needs Docker
	MIEN_TEST_COMPOSE=1 .venv/bin/pytest -q tests/integration/test_compose.py

lock: .venv-tools/ready ## pin the versions of constraints.txt with the hashes of their files
	$(LOCK) requirements/build.in -o requirements/build.txt
	$(LOCK) requirements/tools.in -o requirements/tools.txt
	$(LOCK) pyproject.toml -c constraints.txt -o requirements/runtime.txt
	$(LOCK) pyproject.toml -c constraints.txt --extra dev --extra train -o requirements/dev.txt

sbom: .venv/runtime ## write sbom.json: installed packages and models, as CycloneDX
	$(MIEN) sbom --out sbom.json

audit: .venv-tools/ready ## look for known vulnerabilities; exit code 3: no data was reached
	.venv-tools/bin/python -m supply_chain.audit

screenshots: .venv/dev ## take the README's pictures again, from the demo in a real browser
	.venv/bin/python -m tests.support.screenshots docs/images

clean: ## delete the virtual environment and caches; databases stay
	rm -rf .venv .venv-tools build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Mien needs Python 3.11 or later: make PYTHON=python3.11 ..."; exit 2; }
	@$(PYTHON) -c 'import ensurepip' || { echo "Python's venv is missing: apt-get install python3-venv"; exit 2; }
	@$(PYTHON) -c 'import ctypes; ctypes.CDLL("libGL.so.1"); ctypes.CDLL("libglib-2.0.so.0")' 2>/dev/null || { echo "OpenCV needs two libraries: apt-get install libgl1 libglib2.0-0"; exit 2; }
	@echo "Creating .venv ..."
	@$(PYTHON) -m venv .venv

# Locked versions with hashes: nothing else is installed, and nothing that has changed since.
.venv/runtime: .venv/bin/python pyproject.toml bin/mien requirements/build.txt requirements/runtime.txt
	@echo "Installing Mien (a minute or two, once) ..."
	@$(PIP) install --require-hashes -r requirements/build.txt
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev: .venv/runtime requirements/dev.txt
	@echo "Installing what tests and training need ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

.venv-tools/ready: requirements/tools.txt
	@$(PYTHON) -m venv .venv-tools
	@.venv-tools/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/tools.txt
	@touch $@
