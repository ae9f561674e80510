# Two commands matter: `make book` and `make test`. Each works first and alone on a fresh clone.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
JOBS ?= 2
# How many mutants of the formulas to try; 0 means all of them.
SAMPLE ?= 0

.PHONY: book test data readme mutants bench lock clean
.DELETE_ON_ERROR:

book: $(INSTALLED) data
	@$(BIN)/promo-repro execute --jobs $(JOBS)
	@$(BIN)/promo-repro build

test: export OMP_NUM_THREADS = 1
test: $(INSTALLED) data
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not browser and not built"
	@$(BIN)/promo-repro execute --jobs $(JOBS)
	@$(BIN)/promo-repro build
	$(BIN)/python -m pytest -n $(JOBS) -m "browser or built"

data: $(INSTALLED)
	@$(BIN)/promo-repro data fetch

# Write what the built book found into README.md.
readme: book
	@$(BIN)/python -m promo_repro.book.readme

mutants: $(INSTALLED)
	@$(BIN)/python tests/mutants.py --sample $(SAMPLE)

bench:
	@$(PYTHON) -m venv .bench
	@.bench/bin/pip install -q -r requirements.lock
	@.bench/bin/pip install -q --no-deps -e .
	@.bench/bin/python -m tests.benchmarks

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v[:2] < (3, 14) and f"Python 3.11, 3.12 or 3.13 is needed, this is {v[0]}.{v[1]}; name one with: make PYTHON=python3.11")'
	@echo "Installing the locked packages into $(VENV) (once, a few minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q -r requirements.lock
	@$(BIN)/python -m pip install -q --no-deps -e .
	@touch $@

# Resolve the newest versions that pyproject.toml admits and pin them.
lock:
	@rm -rf _build/lock && $(PYTHON) -m venv _build/lock
	@_build/lock/bin/pip install -q -e ".[book,test]" torch==2.13.0
	@_build/lock/bin/pip freeze --exclude-editable | grep -v -i -E '^(pip|setuptools|wheel)==' | sed 's/+cpu$$//' > requirements.lock
	@rm -rf _build/lock

clean:
	rm -rf _build book/chapters book/generated
