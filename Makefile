# make demo    install, run the four pipelines on the bundled handbook, print the scorecard
# make test    install, then lint, types, architecture and the test suite
# make reports run the studies again and write reports/ from them
# make report-statistics   simulate what intervals and verdicts promise (12 minutes)
# make report-judges       hold the offline judge to small edits and, with EVALKIT_DATA, to RAGTruth
# make report-endoflife    all four pipelines on dated pages, with EVALKIT_DATA (half an hour)
PYTHON ?= python3
JOBS   ?= 2
# cpu or gpu; the two faiss packages overwrite each other's files, so only one is ever installed.
FAISS  ?= cpu
OTHER  := $(if $(filter gpu,$(FAISS)),cpu,gpu)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready-$(FAISS)
# Beside it what development needs: the tools, and all launchers of sweeps, which the suite tries.
DEV    := $(VENV)/.dev-$(FAISS)
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e
STUDIES := quartet ladder roll_forward

.DEFAULT_GOAL := help
.PHONY: help install demo test check format wheel clean reports $(STUDIES:%=report-%)
.PHONY: report-statistics report-judges report-endoflife

help:
	@sed -n 's/^# make/make/p' Makefile

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "evalkit needs Python 3.11 or newer; try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@rm -f $(VENV)/.ready-* $(VENV)/.dev-*
	@! $(BIN)/python -m pip show --quiet faiss-$(OTHER) 2>/dev/null || \
	  $(BIN)/python -m pip uninstall --quiet --yes faiss-cpu faiss-gpu 2>/dev/null
	$(PIP) '.[$(FAISS)]'
	@touch $@

$(DEV): $(READY)
	$(PIP) '.[$(FAISS),dev]'
	@touch $@

demo: $(READY)
	$(BIN)/evalkit run experiment=quartet

reports: $(STUDIES:%=report-%)

report-endoflife: WHERE = benchmark.path=$(EVALKIT_DATA)/endoflife

$(STUDIES:%=report-%) report-endoflife: report-%: $(READY)
	rm -rf runs/report-$*
	$(BIN)/evalkit run experiment=$* run_dir=runs/report-$* $(WHERE)
	rm -rf reports/$*
	mkdir -p reports/$*
	cp runs/report-$*/scorecard.md runs/report-$*/results.json runs/report-$*/figures/*.svg reports/$*/

report-statistics: $(READY)
	$(BIN)/python -m evalkit.statistics.simulation --out reports/statistics

report-judges: $(READY)
	$(BIN)/python tests/benchmarks/minimal_pairs.py
	$(if $(EVALKIT_DATA),$(BIN)/python tests/benchmarks/ragtruth_judge.py)

# One thread each: two processes that use both cores get in each other's way.
test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(DEV)
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) build dist
