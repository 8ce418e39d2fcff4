# `make demo` and `make test` each work as the first command on a fresh clone: python3 (3.11 or later) and pip are all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
SECONDS ?= 120
SEED ?=

.PHONY: check test demo bench chaos clean
.DEFAULT_GOAL := test

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Most tests wait for real servers: four at a time keep two cores busy.
test: $(VENV)/.installed
	$(BIN)/python -m pytest -n 4 --dist loadfile $(ARGS)

demo: $(VENV)/.installed
	$(BIN)/python -m outrider_playground.demo $(ARGS)

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks --all $(ARGS)

# Random commits, edits and faults for so many seconds, then a comparison of everything: docs/faults.md.
chaos: $(VENV)/.installed
	OUTRIDER_CHAOS_SECONDS=$(SECONDS) OUTRIDER_CHAOS_SEED=$(SEED) $(BIN)/python -m pytest -s -m chaos tests/e2e/faults/test_chaos.py $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
