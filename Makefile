# Every daily command. `make help` lists them; the work itself lives in tools/.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup up test test-long check format bench pins schemas

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## make .venv with pinned packages and all members (every other command does this first)
	@$(PYTHON) tools/bootstrap.py

pins: setup ## refresh requirements/dev.txt after a dependency was added
	@$(BIN)/python tools/pin_requirements.py
