# Two commands for everybody: `make demo` and `make test`. Both set up all that they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --require-hashes

.PHONY: demo test lint types contracts check bench lock clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.run  ## three photos become a playable MP4, with no key and no GPU
	$(BIN)/framegate demo

test: $(VENV)/.dev  ## the whole suite, slow ones included
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell

types: $(VENV)/.dev
	$(BIN)/pyright

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

check: test lint types contracts  ## what .ci/run runs

bench: $(VENV)/.dev  ## every figure that the docs state, as ratios in one run
	$(BIN)/python -m bench

lock: $(VENV)/.dev  ## resolve the pins anew (needs uv); names versions and hashes, no index address
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  pyproject.toml requirements/build.in -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  pyproject.toml requirements/build.in --group dev -c requirements/run.txt -o requirements/dev.txt

clean:
	rm -rf $(VENV) demo.mp4 demo-contact-sheet.jpg

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Framegate needs Python 3.11 or newer; say which with: make PYTHON=python3.12")'
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@$(PIP) -r requirements/run.txt
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@$(PIP) -r requirements/dev.txt
	@touch $@
