# Two commands on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: demo test format bench clean

$(BIN)/concertclean: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt torch
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/dev: $(BIN)/concertclean
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(BIN)/concertclean
	@mkdir -p demo
	$(BIN)/concertclean denoise examples/lets-go-fishin-with-crowd.m4a -o demo --overwrite --removed --report -v
	$(BIN)/concertclean denoise examples/st-louis-blues-1921.mp3 -o demo --overwrite --removed --report -v
	@echo
	@echo "Restored recordings (_clean), what was removed (_removed) and pages to compare them (_report.html) are in demo/:"
	@ls demo

test: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --cov --cov-report=term:skip-covered

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo
