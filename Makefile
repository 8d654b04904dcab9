# Needs Python 3.11 or newer and make; everything else goes into .venv. PYTHON=… chooses the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
comma := ,
# CI skips nothing, so it has Spark too.
EXTRAS := dev$(if $(MICROLOAN_CI),$(comma)spark)

# What meets the packages that have changed most, and needs no extra but PostgreSQL.
LOWEST := $(patsubst %,store/test_%.py,corrections draws hosts idempotency lists many_at_once query_plans repayments schema \
  upgrades worked_example) $(patsubst %,cli/test_%.py,names program render)

CORE := $(VENV)/.installed
DEV := $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))

# What a file of tests makes for all of them, a browser or a year of business, is made in one process and not in both. The
# order of the folders has the files that take longest in its first half, so that both processes end together.
PYTEST := TMPDIR="$$(.ci/scratch)" $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help demo test test-slow test-all test-lowest lint format catalogues bench docs release clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

demo: $(CORE) ## the main job end to end, on bundled data
	$(BIN)/microloan demo

test: $(DEV) ## the tests, without those marked slow
	$(PYTEST) -m "not slow"

test-slow: $(DEV) ## the tests left out above: minutes each
	$(PYTEST) -m slow

test-all: $(DEV) ## every test, with many more generated examples
	$(PYTEST) --hypothesis-profile=thorough

test-lowest: build/lowest/.installed ## store and command line with the oldest packages that pyproject.toml allows
	build/lowest/bin/pytest -n 2 -m "not slow" $(addprefix tests/,$(LOWEST))

lint: $(DEV) ## style, types, and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports --no-logo

format: $(DEV) ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

catalogues: $(DEV) ## compile the texts of the command line after an edit of a .po file
	$(BIN)/pybabel -q compile -d cli/locale -D 'texts help reasons'

bench: $(DEV) ## the library beside its floor, see benchmarks/README.md
	@set -e; for file in $(wildcard benchmarks/bench_*.py); do echo "== $$file"; $(BIN)/python "$$file"; done

docs: $(VENV)/.installed-docs ## these pages and the API reference as a site in build/docs; a warning is an error
	$(BIN)/sphinx-build -q -W --keep-going -d build/doctrees docs build/docs

release: $(VENV)/.installed-release ## wheel and source archive, used in clean environments; bill of materials, audit
	BIN=$(BIN) PYTHON=$(PYTHON) .ci/release

clean: ## remove what was made, the environment too
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "microloan needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

# A package installed in place is not compiled by pip; every run would do it again where Python may not write.
COMPILE := $(BIN)/python -m compileall -q microloan cli

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	$(COMPILE)
	@touch $@

$(VENV)/.installed-docs $(VENV)/.installed-release: $(VENV)/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[$*]'
	@touch $@

build/lowest/.installed: pyproject.toml constraints.txt .ci/lowest
	$(PYTHON) -m venv build/lowest
	.ci/lowest > build/lowest/constraints.txt
	build/lowest/bin/python -m pip install -q --disable-pip-version-check -c build/lowest/constraints.txt \
	  -e '.[postgres]' aiosqlite asyncpg freezegun greenlet hypothesis pytest pytest-timeout pytest-xdist
	@touch $@

# What the tests need holds what the demo needs.
$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[$(EXTRAS)]'
	$(COMPILE)
	@touch $(CORE) $@
