# Every target sets itself up: .venv is made at first use, and again only after pyproject.toml or constraints.txt changed.
# Another interpreter: make PYTHON=python3.12 test

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow check bench wheel clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(READY)  ## run the example study with two workers
	$(BIN)/headway run examples/stdlib_gpt/study.py --workers 2

# Two processes: many tests wait for processes of their own. A file's tests stay together, as they share what they made.
test: $(READY)  ## run the tests, without the slow ones
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(READY)  ## run only the slow tests
	$(BIN)/python -m pytest -m slow

# pyright's wrapper would ask PyPI at each run whether a newer release exists.
check: export PYRIGHT_PYTHON_IGNORE_WARNINGS = 1
check: $(READY)  ## lint, formatting, import layers, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/pyright

bench: $(READY)  ## measure Headway beside its peers (docs/benchmarks.md)
	$(BIN)/python -m benchmarks --all

wheel: $(READY)  ## build dist/*.whl
	$(BIN)/python -m build --wheel --no-isolation

clean:  ## remove .venv, dist and caches; .headway, the record of your studies, stays
	rm -rf .venv .venv-peers dist build .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# hatchling comes first and the build is not isolated: an isolated one would fetch a hatchling that constraints.txt does not pin.
# A .venv that an interrupted run left without a working pip is made anew.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Headway needs Python 3.11 or newer; '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another interpreter: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; } >&2
	@echo "[set-up 1/3] .venv with $$($(PYTHON) --version)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "[set-up 2/3] hatchling, which builds the package"
	@$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt hatchling
	@echo "[set-up 3/3] headway with its dev and torch extras, as pinned in constraints.txt (a few minutes at first)"
	@$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev,torch]'
	@touch $@
	@echo "[set-up done]"
