# Every daily command. `make help` lists them; the work itself lives in tools/.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup up check format test test-long schemas new-service bench pins

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## make .venv with pinned packages and all members (every other command does this first)
	@$(PYTHON) tools/bootstrap.py

up: export MESHERY_COMMIT ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
up: setup ## run everything in one process on embedded PostgreSQL and NATS
	@$(BIN)/python -m meshery_standalone

check: setup ## format, lint, types, borders, layout and generated files; under a minute
	@$(BIN)/python tools/check.py

format: setup ## mend what a machine can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

test: setup ## all tests but the long ones; M=designs for one member, T=a file, folder or path::name, SEED=n for another order
	@$(BIN)/python tools/run_tests.py --member "$(M)" --test "$(T)" $(if $(SEED),--seed "$(SEED)")

test-long: setup ## seeded faults, scale and full matrices
	@$(BIN)/python tools/run_tests.py --member "$(M)" --test "$(T)" $(if $(SEED),--seed "$(SEED)") --long

schemas: setup ## write schemas/, docs/reference/ and the generated parts of the READMEs
	@$(BIN)/python tools/generate.py

new-service: setup ## scaffold a service: NAME=x; make check is green at once
	@$(BIN)/python tools/new_service.py "$(NAME)"

bench: setup ## run the benchmarks of bench/
	@$(BIN)/python tools/run_benchmarks.py

pins: setup ## refresh requirements/dev.txt after a dependency was added
	@$(BIN)/python tools/pin_requirements.py
