# `make words` and `make test` each work alone in a fresh clone; see `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Real datasets, where a checkout has them beside it; otherwise the user's cache.
DATA := $(firstword $(wildcard ../shared/data) $(ALGONETS_DATA))
ifneq ($(DATA),)
export ALGONETS_DATA := $(abspath $(DATA))
endif
GOLDEN := $(firstword $(wildcard ../shared/golden) $(ALGONETS_GOLDEN))
ifneq ($(GOLDEN),)
export ALGONETS_GOLDEN := $(abspath $(GOLDEN))
endif
NATIVE := CMakeLists.txt $(wildcard native/*.* native/*/*)

.PHONY: help words test lint docs bench clean

help:  ## show the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

# One stamp an install: the package with the extras that the command needs. Sources are linked (editable),
# so only a change of the native kernels or of the requirements installs again.
$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "algonets needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt $(NATIVE) | $(VENV)/bin/python
	@echo "Installing algonets and what its experiments need into $(VENV) (once, a minute or two) ..."
	$(PIP) install --quiet --constraint constraints.txt torch
	$(PIP) install --quiet --constraint constraints.txt --editable '.[experiments]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "Installing the development tools into $(VENV) (once) ..."
	$(PIP) install --quiet --constraint constraints.txt --editable '.[experiments,docs,dev]'
	@touch $@

words: $(VENV)/.run  ## read handwritten words in every way, on embedded data (about 2 minutes, and the installation)
	$(BIN)/algonets train words --way all --output runs/words --resume

test: lint docs $(VENV)/.dev  ## lint, docs, doctests and all tests
	$(BIN)/python -m pytest -q --doctest-modules src/algonets
	$(BIN)/python -m pytest -q --doctest-glob='*.md' docs CONTRIBUTING.md README.md
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 tests

lint: $(VENV)/.dev  ## ruff, pyright and the floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

docs: $(VENV)/.dev  ## build the documentation into docs/_build/html, warnings are errors
	$(BIN)/python -m sphinx -W -E --keep-going -q -b html docs docs/_build/html

bench: $(VENV)/.dev  ## measure against the peers; writes docs/results/*.json
	$(PIP) install --quiet --no-deps -r benchmarks/peers.txt
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script; done

clean:  ## remove the environment, builds and runs
	rm -rf $(VENV) build runs docs/_build docs/gallery docs/operations.md
