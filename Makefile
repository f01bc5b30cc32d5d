# `make demo` and `make test` do all their own set-up: see .ci/setup.
export DAGSTER_HOME := $(CURDIR)/.dagster
export DAGSTER_DISABLE_TELEMETRY := 1
# Packages are installed uncompiled: what a run imports is compiled once and kept, not again in every process.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long ui up down docs lint clean

help: ## this list
	@echo "ISE as a Dagster project. Needs Linux, Python 3.11-3.13, make and git; no API key."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## Python packages in .venv, programs of the scenarios, embedding model (the other targets do it, too)
	@.ci/setup

demo: setup .dagster/dagster.yaml ## shipped persona lists to SFT records, all ten domains, into data/
	@.venv/bin/ise demo

test: test-setup ## the test suite, without the tests marked `long`
	@.venv/bin/python -m pytest -m "not long" $(PYTEST_ARGS)

test-long: test-setup ## the tests that take minutes: kills at random moments, big pools
	@.venv/bin/python -m pytest -m long $(PYTEST_ARGS)

ui: setup .dagster/dagster.yaml ## Dagster's web UI and daemon, on the instance the demo wrote to
	@.venv/bin/ise ui

up: ## a deployment in containers: PostgreSQL, web UI, daemon, workspace host, every run a container (docs/deploy.md)
	@docker/up

down: ## take the deployment down; its data stays
	@docker/down

docs: setup ## the documentation as pages, in docs/_build; a broken link fails it
	@.venv/bin/python docs/make_configuration.py
	@.venv/bin/sphinx-build -q -W --keep-going -b html docs docs/_build
	@echo "docs/_build/index.html"

lint: setup ## ruff (rules and format) and mypy
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

clean: ## remove .venv, caches and build products; keeps data/ and .dagster/, they may hold paid work
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .ci/artefacts build dist
	find ise_assets ise_assets_tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: test-setup
test-setup:
	@.ci/setup browser consumers

# Dagster reads its settings from DAGSTER_HOME only; an edited dagster.yaml is copied again.
.dagster/dagster.yaml: dagster.yaml
	@mkdir -p $(@D)
	@cp $< $@
