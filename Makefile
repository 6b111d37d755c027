# `make run` starts the chat at http://127.0.0.1:3500; `make test` runs the tests.
# Variables: PYTHON=/path/to/python3.x selects the interpreter, PORT=3600 the port.

RUN = .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help install install-dev run chromium servers test test-all check format lock sbom docs bench faults fuzz conformance docs-test

help:
	@echo "make run          start the chat at http://127.0.0.1:$${PORT:-3500} (Ctrl-C stops it)"
	@echo "make test         run the tests"
	@echo "make test-all     run also the tests that take long"
	@echo "make check        check style, types and import rules"
	@echo "make format       format the code"
	@echo "make lock         lock the requirements with the hashes of their files"
	@echo "make sbom         list all packages of the image in var/sbom.json (CycloneDX)"
	@echo "make docs         build the documentation as a website in site/"
	@echo "make docs-test    follow the documentation on a fresh machine (needs root and Debian)"
	@echo "make bench        measure speed"
	@echo "make faults       break processes and networks on both web servers, count lost messages"
	@echo "make fuzz         send random input to everything that parses it (ARGS=3600: for an hour)"
	@echo "make conformance  run all Autobahn WebSocket cases on both web servers (10 minutes)"

install:
	@scripts/install.sh run

install-dev: install
	@scripts/install.sh dev

chromium: install-dev
	@scripts/chromium.sh

test-all faults bench: SERVERS = long
servers:
	@scripts/servers.sh $(SERVERS)

run: install
	@$(RUN) manage.py runall

# Three processes even on two cores, because many tests wait for a timeout.
test: SELECTED = -m "not slow"
test test-all: install-dev chromium servers
	@scripts/node_modules.sh
	@$(RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(SELECTED) $(ARGS)

check: install-dev
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$(RUN) -m bandit -q -c pyproject.toml -r chat chatproject inference manage.py
	@.venv/bin/zizmor --quiet --offline --no-progress --min-severity medium .github
	@scripts/types.sh
	@$(RUN) -m pytest -q tests/unit/test_layers.py tests/unit/test_kubernetes.py

format: install-dev
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

lock: install-dev
	@scripts/lock.sh $(ARGS)

sbom: install-dev
	@mkdir -p var
	@$(RUN) -W ignore -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
	    --output-reproducible --output-file var/sbom.json
	@echo "Wrote var/sbom.json"

docs: install-dev
	@scripts/node_modules.sh
	@$(RUN) -m sphinx -q -W --keep-going -b html -d var/docs docs site

docs-test: install-dev
	@scripts/servers.sh machine
	@$(RUN) -m tests.documentation $(ARGS)

bench: install-dev servers
	@$(RUN) -m bench $(ARGS)

faults: install-dev servers
	@for server in $${TEST_WEB_SERVER:-daphne uvicorn}; do \
	    TEST_WEB_SERVER=$$server $(RUN) -m tests.faults $(ARGS) || status=1; \
	done; exit $${status:-0}

fuzz: install-dev chromium servers
	@$(RUN) -m tests.fuzz $(ARGS)

conformance: install-dev
	@$(RUN) -m tests.conformance $(ARGS)
