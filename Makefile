# Everything that developers and CI do. `make` alone lists it.
# macOS ships GNU make 3.81 and BSD tools: nothing newer is used here.

ifeq ($(OS),Windows_NT)
$(error This project runs on Linux, macOS and WSL. On Windows, install WSL (`wsl --install`) and run make there)
endif
ifeq ($(filter Linux Darwin,$(shell uname -s)),)
$(error This project runs on Linux, macOS and WSL, not on $(shell uname -s))
endif

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
# What the main job needs, and with it what developers and the tests do.
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
# The serving container's own server, in an environment of its own on top of VENV.
SERVING := $(VENV)-serving
SERVING_STAMP := $(SERVING).installed
# The first one that is new enough; `make PYTHON=/path/to/python` chooses another.
PYTHON := $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v "$$python"; break; }; done)
# One process a core, and a file's tests in one process: they share models and local clouds. The order is tests/conftest.py's.
PYTEST := $(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder
# Two processes with all cores each would only wait for one another.
export OMP_NUM_THREADS ?= 1

.PHONY: help install quickstart test test-matrix coverage quick lint format docs wheel-test sdk-test container-test pictures notebooks bench clean

help:
	@echo 'make quickstart      install, train a router on this machine, deploy it, ask it'
	@echo 'make install         what the main job needs, into $(VENV); quickstart does it too'
	@echo 'make test            everything that CI checks, after installing what only that needs'
	@echo 'make test-matrix     make test on every Python from 3.11 to 3.13 that this machine has'
	@echo 'make coverage        run the tests and show which lines they reach'
	@echo 'make quick           make test without real trainings, the docs and the wheel'
	@echo 'make format          format the code and fix what the linter can'
	@echo 'make docs            build the documentation into build/docs'
	@echo 'make wheel-test      build the wheel and try it in a fresh environment'
	@echo 'make sdk-test        use the local cloud through the SageMaker SDK (installs 1.2 GB beside .venv)'
	@echo 'make container-test  train and serve in the AWS containers'"'"' exact versions: once before a release (10 GB)'
	@echo 'make pictures        make the pictures of README and docs anew (needs chromium)'
	@echo 'make notebooks       run the notebooks of examples/ and keep their outputs'
	@echo 'make bench           measure speed and memory against peers: the short version, minutes'
	@echo 'make clean           remove the environment and everything built'

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt scripts/install.sh
	@scripts/install.sh '$(PYTHON)' $(VENV) local,review
	@touch $@

$(DEV_STAMP): $(STAMP)
	@scripts/install.sh '$(PYTHON)' $(VENV) dev
	@touch $@

$(SERVING_STAMP): $(STAMP) scripts/serving_environment.sh
	@scripts/serving_environment.sh $(VENV) $(SERVING)
	@touch $@

quickstart: $(STAMP)
	@env -u OMP_NUM_THREADS $(BIN)/mojo quickstart

test: lint $(SERVING_STAMP)
	@echo '== tests'
	@$(PYTEST)
	@[ -n "$$MOJO_TEST_POSTGRES_URL" ] || echo 'The tests on PostgreSQL were skipped. This runs them too: scripts/postgres.py make test'
	@$(MAKE) --no-print-directory wheel-test

# TARGET=quick leaves out real trainings.
test-matrix:
	@scripts/test_matrix.sh $(or $(TARGET),test)

# Also of the programs that tests start; `fail_under` stays unset, because a share says little about what is asserted.
coverage: $(DEV_STAMP) $(SERVING_STAMP)
	@$(PYTEST) --cov --cov-report=term:skip-covered $(TESTS)

quick: lint
	@echo '== tests, without the slow ones'
	@$(PYTEST) -m 'not slow'

lint: $(DEV_STAMP)
	@echo '== format' && $(BIN)/ruff format --check .
	@echo '== lint' && $(BIN)/ruff check .
	@echo '== types' && $(BIN)/mypy
	@echo '== prose' && $(BIN)/python scripts/prose.py --quiet

format: $(DEV_STAMP)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(DEV_STAMP)
	@echo '== documentation'
	@$(BIN)/sphinx-build -q -W --keep-going -n docs build/docs
	@echo 'built: build/docs/index.html'

wheel-test: $(DEV_STAMP)
	@echo '== wheel'
	@scripts/wheel_test.sh $(BIN)/python

sdk-test: $(DEV_STAMP)
	@echo '== SageMaker SDK'
	@scripts/sdk_test.sh $(VENV) $(VENV)-sagemaker

container-test: $(DEV_STAMP)
	@echo '== containers'
	@scripts/container_test.sh $(VENV) $(VENV)-container

# What the docs show of the program, made by its own commands.
pictures: $(DEV_STAMP)
	@$(BIN)/python scripts/pictures.py

notebooks: $(DEV_STAMP)
	@env -u OMP_NUM_THREADS $(BIN)/python scripts/notebooks.py

# Offline the comparison with trl is left out, which benchmarks/training.py then says.
bench: $(STAMP)
	@$(BIN)/python -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("trl") is None)' \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]' -c constraints.txt \
		|| echo 'trl could not be installed.' >&2
	@env -u OMP_NUM_THREADS $(BIN)/python benchmarks/short.py $(if $(DATA),--data "$(DATA)")

clean:
	rm -rf $(VENV) $(VENV)-* build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
