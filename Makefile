# One word for each chore. `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The first Python that is new enough; choose another with `make run PYTHON=python3.13`.
PYTHON ?= $(or $(shell .ci/find-python),python3)
VENV ?= .venv
BIN := $(VENV)/bin
CAPABILITY ?= capabilities/stepfunctions.yaml
INPUTS := pyproject.toml requirements.lock
comma := ,

# Compiled at once, so that the first start is as quick as the second.
define install
@echo "installing into $(VENV), once"
@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[$(1)]'
@$(BIN)/python -m compileall -q naftiko
@touch $(2)
endef

.PHONY: help
help: ## list the chores
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/.run ## serve CAPABILITY with the embedded AWS sandbox
	@$(BIN)/naftiko run $(CAPABILITY) --sandbox --examples || [[ $$? == 130 ]]

.PHONY: setup
setup: $(VENV)/.dev ## make .venv with everything that development needs

.PHONY: test
test: $(VENV)/.dev ## run all tests
	$(BIN)/pytest -n 3 --dist loadfile $(PYTEST_ARGS)

.PHONY: live
live: $(VENV)/.dev ## run the tests that serve real HTTP, one by one
	$(BIN)/pytest tests/live $(PYTEST_ARGS)

.PHONY: fmt
fmt: $(VENV)/.dev ## format the code and fix what can be fixed
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: check
check: $(VENV)/.dev ## lint, types, layers, and drift of generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

.PHONY: golden
golden: $(VENV)/.dev ## rewrite expected texts; review the diff
	NAFTIKO_GOLDEN=rewrite $(BIN)/pytest -q $(PYTEST_ARGS)

.PHONY: docs
docs: $(VENV)/.dev ## rewrite the generated reference pages
	$(BIN)/python docs/generate.py

.PHONY: catalog
catalog: $(VENV)/.dev ## compile and sign the workflow catalog (KEY=file; without it your own key)
	$(BIN)/python docs/workflow_catalog.py $(if $(KEY),--key $(KEY))

.PHONY: bench
bench: ## compare with hand-written equivalents (minutes)
	@$(MAKE) --no-print-directory bench-here VENV=.venv-bench

# An environment of its own: what only the rivals need must not hide what the tests lack.
.PHONY: bench-here
bench-here: $(VENV)/.bench
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

.PHONY: conformance
conformance: $(VENV)/.dev ## run the official MCP conformance suite (see tests/live/mcp/conformance)
	$(BIN)/pytest tests/live/mcp/conformance $(PYTEST_ARGS)

.PHONY: wheel
wheel: $(VENV)/.dev ## build dist/*.whl
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

.PHONY: lock
lock: $(VENV)/.dev ## compile requirements.lock anew (LOCK_ARGS=--upgrade for the newest)
	$(BIN)/uv pip compile --universal --python-version 3.11 --no-header --quiet \
		--extra all --extra sandbox --extra dev --extra bench $(LOCK_ARGS) --output-file requirements.lock pyproject.toml

.PHONY: clean
clean: ## remove what was built, the environment too
	rm -rf $(VENV) .venv-newest .venv-bench build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Servers behave alike on both; what differs between Pythons shows here.
NEWEST ?= tests/unit tests/live/mcp tests/live/rest

.PHONY: test-newest
test-newest: ## run what may differ on the newest Python there is (NEWEST=tests for all)
	@newest="$$(.ci/find-python newest)"; \
	if [[ -z "$$newest" ]]; then echo "no Python newer than 3.11 is here: skipped"; exit 0; fi; \
	$(MAKE) test PYTHON="$$newest" VENV=.venv-newest PYTEST_ARGS="$(NEWEST)"

# An environment holds what its stamp says: installed again only when the inputs change.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "naftiko needs Python 3.11 or newer")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(INPUTS) | $(VENV)/bin/python
	$(call install,sandbox,$@)

$(VENV)/.dev: $(INPUTS) | $(VENV)/bin/python
	$(call install,sandbox$(comma)dev,$@ $(VENV)/.run)

$(VENV)/.bench: $(INPUTS) | $(VENV)/bin/python
	$(call install,sandbox$(comma)dev$(comma)compat$(comma)bench,$@ $(VENV)/.dev $(VENV)/.run)
