# undeliver: `make` lists the targets.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Processes that share the tests, each with servers of its own.
WORKERS ?= 2

# The extras of each environment are installed once and again only when the lists change.
DEMO_STAMP := $(VENV)/.demo-installed
DEV_STAMP  := $(VENV)/.dev-installed

.DEFAULT_GOAL := help
.PHONY: help demo install test test-long lint check lock schemas docs clean

##@ Use
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(DEMO_STAMP) ## The main job on this machine: mail in by SMTP, verdicts, retraction, record
	$(BIN)/undeliver demo $(ARGS)

##@ Develop
install: $(DEV_STAMP) ## Set up everything for development in $(VENV)

test: $(DEV_STAMP) ## Run the tests, real servers included
	$(BIN)/python -m pytest -m "not long" -n $(WORKERS) --dist loadfile $(ARGS)

test-long: $(DEV_STAMP) ## Run also what takes real time
	$(BIN)/python -m pytest --timeout=900 $(ARGS)

bench: $(DEV_STAMP) ## Measure the queue, and the pipeline against the sum of its parts
	$(BIN)/python -m tests.bench $(ARGS)

bench-broker: ## Measure RabbitMQ through our adapter against aio-pika, and the Postgres queue
bench-pipeline: ## Measure mail from SMTP to the record, all services at once and one at a time
bench-ingest: ## Measure ingest alone: SMTP, parse, store, publish
bench-classifier: ## Measure the classifier alone
bench-retractor: ## Measure the retractor alone, on the Graph simulator
bench-audit: ## Measure the recording alone
bench-%: $(DEV_STAMP)
	$(BIN)/python -m tests.bench $* $(ARGS)

lint: $(DEV_STAMP) ## Formatting, lint, types, architecture, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/python -m libs.common.contracts.schemas --check

check: lint test ## What CI runs

lock: $(DEV_STAMP) ## Write constraints.txt anew: the newest versions that fit pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --all-extras --upgrade --python-version 3.11 \
	    --custom-compile-command "make lock" --no-emit-index-url pyproject.toml -o constraints.txt

schemas: $(DEV_STAMP) ## Write docs/api/ anew from the contracts
	$(BIN)/python -m libs.common.contracts.schemas --write

docs: $(DEV_STAMP) ## Write docs/settings.md anew from the settings
	$(BIN)/python -m tests.docs.settings_page --write

clean: ## Remove the environment and all that tools leave behind
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "undeliver needs Python 3.11 to 3.13, this is %d.%d: make PYTHON=/path/to/python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)

$(DEMO_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]'
	touch $@

$(DEV_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@ $(DEMO_STAMP)
