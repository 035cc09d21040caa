# Two commands on a fresh machine: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := pyproject.toml constraints.txt
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: install demo test lint check docs bench clean

install: .venv/installed

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: $(SOURCES) | .venv/bin/python
	@echo "installing ostinato into .venv (a minute or so the first time)"
	$(PIP) --editable '.[plots,parquet]'
	touch $@

.venv/installed-dev: $(SOURCES) | .venv/bin/python
	@echo "installing ostinato and the development tools into .venv (a minute or so the first time)"
	$(PIP) --editable '.[dev]'
	touch $@ .venv/installed

.venv/installed-bench: $(SOURCES) | .venv/bin/python
	@echo "installing ostinato and its peers into .venv (a minute or so the first time)"
	$(PIP) --editable '.[plots,bench]'
	touch $@ .venv/installed

demo: .venv/installed
	$(BIN)/ostinato demo

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: .venv/installed-dev
	$(BIN)/python -m pytest

docs: .venv/installed-dev
	$(BIN)/mkdocs build --strict --quiet

# Half an hour, on a machine that does nothing else.
bench: .venv/installed-bench
	$(BIN)/ostinato bench layers --threads 2 1 --out benchmarks/results

test: lint docs check

clean:
	rm -rf .venv site runs build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
