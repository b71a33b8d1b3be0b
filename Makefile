# make setup   environment in .venv, with everything that training needs
# make train   the main job on this machine: dataset, fine-tuning, GRPO, evaluation, report
# make test    all tests            make lint   style            make clean   remove what was made
#
# Variables: CONFIG=laptop|single-gpu|cluster-4b|FILE   ARGS="--set grpo.iterations=10"
#            PIP_FLAGS="..." (more options for pip, e.g. an index that has torch's small CPU build)

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := setup
.PHONY: setup train test lint clean

CONFIG ?= laptop
ARGS ?=
PIP_FLAGS ?=

PYTHON := .venv/bin/python
INSTALLED := .venv/.installed
# tools of the environment are called by name, e.g. ninja by torch
export PATH := $(CURDIR)/.venv/bin:$(PATH)

setup: $(INSTALLED)

# Anew only where the requirements have changed.
$(INSTALLED): setup.cfg pyproject.toml
	@command -v c++ >/dev/null || command -v g++ >/dev/null || { \
	  echo "make setup: no C++ compiler (DeepSpeed needs one): apt-get install g++" >&2; exit 2; }
	@found=; for python in python3.12 python3.11 python3; do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; \
	  then found=$$python; break; fi; done; \
	if [ -z "$$found" ]; then \
	  echo "make setup: no Python 3.11 or 3.12 found: apt-get install python3.11 python3.11-venv" >&2; \
	  exit 2; fi; \
	if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "make setup: $$found has no venv module: apt-get install python3-venv" >&2; exit 2; fi; \
	[ -x $(PYTHON) ] || { echo "== environment: .venv with $$($$found --version)"; $$found -m venv .venv; }
	@if nvidia-smi >/dev/null 2>&1; then extra=gpu; other=qiskit-aer; \
	else extra=cpu; other=qiskit-aer-gpu; fi; \
	echo "== packages for $$extra (the first time this takes several minutes)"; \
	$(PYTHON) -m pip uninstall --quiet --yes $$other 2>/dev/null || true; \
	$(PYTHON) -m pip install --disable-pip-version-check --no-input $(PIP_FLAGS) \
	  -e ".[$$extra,dev]"
	@if ! nvidia-smi >/dev/null 2>&1; then \
	  echo "== DeepSpeed's CPU communication op (compiled once, one to two minutes)"; \
	  DS_ACCELERATOR=cpu $(PYTHON) -m quasar.learning.native_ops \
	    >.venv/op_build.log 2>&1 || echo "warning: it does not compile, see .venv/op_build.log;" \
	    "training will try again" >&2; fi
	@touch $@
	@echo "== ready: quasar is in .venv/bin; check this machine with .venv/bin/quasar doctor"

train: setup
	.venv/bin/quasar train --config $(CONFIG) $(ARGS)

test: setup
	$(PYTHON) -m pytest $(ARGS)

lint: setup
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
