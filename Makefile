PYTHON ?= python3.11
VENV := .venv
PY := $(VENV)/bin/python
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/make \1\t\2/' | expand -t 20

sweep: $(VENV)/installed  ## install, then run the 64-point grid with 2 epochs (about 4 minutes on 2 cores)
	$(PY) -m src.sweep search=cnn_grid training.epochs=2

ui: $(VENV)/installed  ## browse the runs in MLflow, at http://127.0.0.1:5000
	$(PY) -m src.ui

test: $(VENV)/installed  ## install, then run all tests
	$(PY) -m pytest --numprocesses 2 --dist loadfile

test-browser: $(VENV)/installed  ## look at MLflow's pages in Chromium (Debian's package chromium)
	$(PY) -m pytest tests/browser

torture: $(VENV)/installed  ## kill sweeps 1,000 times, at every step and at random, and compare (an hour and more)
	$(PY) -m tests.functional.torture

mutants: $(VENV)/installed  ## do the unit tests notice small faults in the core modules? (half an hour and more)
	$(PY) -m tests.mutants

golden: $(VENV)/installed  ## after a change to src/training: do equal trials still give equal bits?
	$(PY) -m tests.golden.golden

check: $(VENV)/installed  ## install, then lint, type-check and check the direction of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

lock: $(VENV)/installed  ## pin the newest versions that pyproject.toml allows
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group dev pyproject.toml --upgrade --output-file requirements.lock

$(VENV)/installed: requirements.lock
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	.ci/install
	touch $@

.PHONY: help sweep ui test test-browser torture mutants golden check lock
