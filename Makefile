# Every target does its own set-up: packages, virtual environment, servers.
#
#   make demo     the main job, for real, in a lab of its own
#   make test     all checks and tests
#   make check    ruff, mypy and the import contracts alone
#   make bench    the benchmarks
#   make clean    take away what the others made here

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NAMESPACE := tests/rig/namespace
STAMP := $(VENV)/.installed

.PHONY: help demo test check unit integration smoke smoke-as-user wheel bench setup packages clean

help:
	@sed -n 's/^#   //p' Makefile

packages:
	@tests/rig/install-packages

$(STAMP): pyproject.toml constraints.txt | packages
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

setup: $(STAMP)

check: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: check packages
	$(BIN)/python tests/rig/side_by_side.py

unit: $(STAMP)
	$(BIN)/python -m pytest --ignore=tests/integration

integration: $(STAMP) packages
	$(NAMESPACE) $(BIN)/python -m pytest tests/integration

# A little of everything, for a second run under other circumstances.
smoke: $(STAMP) packages
	$(NAMESPACE) $(BIN)/python -m pytest -q tests/test_store.py tests/test_journal.py \
		tests/integration/test_issuing.py -k "not every_time and not outlasted and not nonces"

# For root: once more as an ordinary user, for whom the lab works just the same.
smoke-as-user: packages
	env -u MAKEFLAGS tests/rig/as-user make -s smoke

demo: $(STAMP) packages
	@PYTHONPATH=tests/rig $(NAMESPACE) $(BIN)/python -m lab.demo

bench: $(STAMP) packages
	@PYTHONPATH=tests/rig $(NAMESPACE) $(BIN)/python tests/benchmarks

# The suite once more on what users install: nothing may work only in a checkout.
wheel: $(STAMP)
	tests/rig/test-wheel

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
