# make demo    install, run the four pipelines on the bundled handbook, print the scorecard
# make test    install, then lint, types, architecture and the test suite
PYTHON ?= python3
FAISS  ?= cpu
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready-$(FAISS)

.DEFAULT_GOAL := help
.PHONY: help install demo test check format wheel clean

help:
	@sed -n 's/^# make/make/p' Makefile

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "evalkit needs Python 3.11 or newer; try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(FAISS),dev]'
	@touch $@

demo: $(READY)
	$(BIN)/evalkit run experiment=quartet

test: check
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(READY)
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) build dist
