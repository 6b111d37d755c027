# `make run` serves the chat on http://127.0.0.1:3500; `make test` runs every test.
# PYTHON=/path/to/python3.x chooses the interpreter, PORT=3600 another port.

RUN = .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help install install-dev run chromium servers test check format bench faults conformance

help:
	@echo "make run      serve the chat on http://127.0.0.1:$${PORT:-3500} (Ctrl-C ends it)"
	@echo "make test     run every test"
	@echo "make check    style, types and the walls between modules"
	@echo "make format   rewrite the code in the project's style"
	@echo "make bench    measure the speed"
	@echo "make conformance   hold both servers against every Autobahn case (ten minutes)"
	@echo "make faults   break the processes on purpose and count what is lost"

install:
	@scripts/install.sh run

install-dev: install
	@scripts/install.sh dev

chromium: install-dev
	@scripts/chromium.sh

servers:
	@scripts/servers.sh

run: install
	@$(RUN) manage.py runall

# Three at a time, also on two cores: many tests wait for a time-out.
test: install-dev chromium servers
	@$(RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: install-dev
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@scripts/types.sh
	@$(RUN) -m pytest -q tests/unit/test_layers.py

format: install-dev
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

bench: install-dev
	@$(RUN) -m bench $(ARGS)

faults: install-dev
	@$(RUN) -m tests.faults $(ARGS)

conformance: install-dev
	@$(RUN) -m tests.conformance $(ARGS)
