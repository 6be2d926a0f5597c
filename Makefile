# `make help` lists the targets. Each sets up what it needs in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --require-hashes
# Tests that share a served gateway run in one process, in the order of tests/conftest.py.
PYTEST := -m pytest -n auto --dist loadgroup --no-loadscope-reorder

.PHONY: help demo install test soak coverage lint types contracts check docs wheel measure bench lock clean
.DEFAULT_GOAL := demo

help:  ## list the targets
	@awk -F ':.*##' '/^[a-z]+:.*##/ { printf "  make %-10s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.run  ## make a playable MP4 from three photos, without a key or a GPU
	$(BIN)/framegate demo

install: $(VENV)/.run  ## put framegate on the PATH of this user, as a link in ~/.local/bin
	@mkdir -p $(HOME)/.local/bin
	@ln -sf $(CURDIR)/$(BIN)/framegate $(HOME)/.local/bin/framegate
	@echo "$(HOME)/.local/bin/framegate"

test: $(VENV)/.dev  ## run the whole test suite
	$(BIN)/python $(PYTEST)

soak: $(VENV)/.dev  ## run the fuzz and kill tests with 200 examples or kills each; takes hours
	SOAK=1 $(BIN)/python $(PYTEST) -m "hypothesis or soak"

coverage: $(VENV)/.dev  ## run the test suite with branch coverage, subprocesses included; fails below the floor
	rm -f .coverage .coverage.*
	$(BIN)/python -m coverage run $(PYTEST)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

lint: $(VENV)/.dev  ## check style, spelling, prose and names
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell
	$(BIN)/python scripts/lint_prose.py src README.md CONTRIBUTING.md SECURITY.md docs
	$(BIN)/python scripts/lint_names.py src/framegate

types: $(VENV)/.dev  ## check types
	$(BIN)/pyright

contracts: $(VENV)/.dev  ## check the import contracts
	$(BIN)/lint-imports

check: test lint types contracts  ## run the tests and all checks

docs: $(VENV)/.dev  ## build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

wheel: $(VENV)/.dev  ## build the wheel twice, compare the bytes, and try it in an empty environment
	$(BIN)/python scripts/check_wheel.py --output dist

measure: $(VENV)/.dev  ## print the structure of the source in figures
	$(BIN)/python scripts/measure.py src/framegate --list

bench: $(VENV)/.dev  ## measure every figure that the docs state, as ratios in one run
	$(BIN)/python -m bench

lock: $(VENV)/.dev  ## update the pinned requirements (needs uv); without an index address
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  pyproject.toml requirements/build.in -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  pyproject.toml requirements/build.in --group dev -c requirements/run.txt -o requirements/dev.txt

clean:  ## remove what the other targets made
	rm -rf $(VENV) site dist .coverage demo.mp4 demo-contact-sheet.jpg

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Framegate needs Python 3.11 or newer; choose one with: make PYTHON=python3.12")'
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@$(PIP) -r requirements/run.txt
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@$(PIP) -r requirements/dev.txt
	@touch $@
