# Everything a newcomer types. `make help` lists it.
PYTHON ?= python3
MIEN := .venv/bin/mien
PIP := .venv/bin/python -m pip --disable-pip-version-check -q

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench soak chaos compose-test screenshots clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: .venv/runtime ## three simulated cameras and the dashboard; Ctrl-C stops
	@exec $(MIEN) demo

test: .venv/dev lint ## lint, types, import rules and every test
	.venv/bin/pytest

lint: .venv/dev ## style, types and import rules alone
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: .venv/dev ## measure this machine, write docs/benchmarks.md (MIEN_DATA names the data folder)
	.venv/bin/python -m benchmarks
	.venv/bin/python -m benchmarks.readme

soak: .venv/dev ## ten minutes of eight cameras: their memory, onto the same page
	.venv/bin/python -m benchmarks --only memory
	.venv/bin/python -m benchmarks.readme

chaos: .venv/dev ## break workers, broker and database, count what is lost, write docs/reliability.md
	.venv/bin/python -m tests.chaos --report docs/reliability.md

compose-test: .venv/dev ## run compose.yaml for real: faults, more workers, a browser; needs Docker
	MIEN_TEST_COMPOSE=1 .venv/bin/pytest -q tests/integration/test_compose.py

screenshots: .venv/dev ## the README's pictures anew, from the demo in a real browser
	.venv/bin/python -m tests.support.screenshots docs/images

clean: ## forget the virtual environment and caches; databases stay
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Mien needs Python 3.11 or later: make PYTHON=python3.11 ..."; exit 2; }
	@$(PYTHON) -c 'import ensurepip' || { echo "Python's venv is missing: apt-get install python3-venv"; exit 2; }
	@$(PYTHON) -c 'import ctypes; ctypes.CDLL("libGL.so.1"); ctypes.CDLL("libglib-2.0.so.0")' 2>/dev/null || { echo "OpenCV needs two libraries: apt-get install libgl1 libglib2.0-0"; exit 2; }
	@echo "Making .venv ..."
	@$(PYTHON) -m venv .venv

.venv/runtime: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing Mien (a minute or two, once) ..."
	@$(PIP) install -c constraints.txt -e .
	@touch $@

.venv/dev: .venv/runtime
	@echo "Installing what tests and training need ..."
	@$(PIP) install -c constraints.txt -e '.[dev,train]'
	@touch $@
