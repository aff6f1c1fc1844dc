# Two commands on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
# `make serve` opens the page for people.
# `make fuzz` runs the commands on N damaged files (N=20000 for more, SEED=1 for others, CASE=123 for one of them again).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

CONSTRAINTS := constraints.txt

# The tests start hundreds of processes; each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

N ?= 2000
SEED ?= 0

.PHONY: demo serve docs test coverage test-lowest fuzz format clean

$(BIN)/concertclean: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c $(CONSTRAINTS) -e .
	@touch $@

$(VENV)/dev: $(BIN)/concertclean
	$(PIP) install -c $(CONSTRAINTS) -e '.[dev]'
	@touch $@

$(VENV)/ray: $(VENV)/dev
	$(PIP) install -c $(CONSTRAINTS) -e '.[ray]'
	@touch $@

demo: $(BIN)/concertclean
	@mkdir -p demo
	$(BIN)/concertclean denoise examples/lets-go-fishin-with-crowd.m4a -o demo --overwrite --removed --report -v
	$(BIN)/concertclean denoise examples/st-louis-blues-1921.mp3 -o demo --overwrite --removed --report -v
	@echo
	@echo "Restored recordings (_clean), what was removed (_removed) and pages to compare them (_report.html) are in demo/:"
	@ls demo

$(VENV)/serve: $(BIN)/concertclean
	$(PIP) install -c $(CONSTRAINTS) -e '.[serve]'
	@touch $@

serve: $(VENV)/serve
	$(BIN)/concertclean serve --open

test: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses auto

# The same tests with the lines they run counted, which takes a fifth longer.
coverage: $(VENV)/dev
	$(BIN)/pytest --numprocesses auto --cov --cov-report=term:skip-covered

# The fast tests with the lowest version of every dependency; not part of CI.
test-lowest:
	$(MAKE) VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt .venv-lowest/dev
	.venv-lowest/bin/pytest -m 'not slow'

# The documentation, into docs/_build/html and docs/_build/man; a warning is an error.
docs: $(VENV)/dev
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/sphinx-build -q -b man docs docs/_build/man

fuzz: $(VENV)/dev
	$(BIN)/python -m tests.fuzz.run -n $(N) --seed $(SEED) $(if $(CASE),--case $(CASE))

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .venv-lowest demo
