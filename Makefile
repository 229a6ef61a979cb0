# The whole project in a few words. The virtual environment is .venv; nothing else is touched.
PYTHON ?= python3
PROMPT ?= a red apple on a blue background
ARGS ?=
OUT ?= outputs/draw.png
BIN := .venv/bin
# Files of tests go to as many processes as there are cores; many of them wait most of the time. In
# the order of their names: the long ones are not the last.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: setup draw test test-all lint format sheet bench clean help

help:  ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ -/'

.venv/.ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

.venv/.compiled: .venv/.ready $(wildcard text2art/raster/kernels/*.py)
	$(BIN)/python -m text2art.raster.warm
	@touch $@

setup: .venv/.ready .venv/.compiled  ## make the virtual environment, install and compile everything

draw: setup  ## draw PROMPT with the starter models into OUT; more settings in ARGS
	$(BIN)/text2art draw "$(PROMPT)" --out "$(OUT)" $(ARGS)

test: setup  ## run the tests that need no GPU and no patience
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-all: setup  ## run every test, the slow ones too
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m 'not gpu'

lint: setup  ## check style, types, layers and generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.generate --check

format: setup  ## format the code and bring generated files up to date
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m scripts.generate

sheet: setup  ## draw the contact sheets in docs/
	$(BIN)/python -m scripts.contact_sheet

bench: setup  ## measure the speed of the loop with the starter models; other configurations in ARGS
	$(BIN)/python -m benchmarks.loop --config starter $(ARGS)

clean:  ## remove what can be made again
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache outputs .cog
