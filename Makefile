# SpotOn from a fresh clone: `make run`. Needs Python 3.11 or newer, no root, no Docker; everything stays in this folder.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help run up demo test test-fast lint clean

# the first interpreter that is new enough; PYTHON=... chooses another
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
python := .venv/bin/python
# more arguments for the command behind a target: make run ARGS="--port 9000"
ARGS ?=

# Packages count as installed when a stamp named after the requirements' content exists: changed files install again.
hash = $(shell cat $(1) | sha256sum | cut -c1-12)
run_stamp := .venv/.run-$(call hash,requirements.txt)
dev_stamp := .venv/.dev-$(call hash,requirements.txt requirements-dev.txt requirements-tracing.txt)
torch_stamp := .venv/.torch-$(call hash,requirements.txt requirements-torch.txt)

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(run_stamp) ## start SpotOn with the demo campus on http://localhost:8000
	@exec $(python) manage.py up --demo $(ARGS)

up: $(run_stamp) ## start SpotOn without the demo
	@exec $(python) manage.py up $(ARGS)

demo: $(run_stamp) ## process the demo campus without a browser, print the results, end
	@exec $(python) manage.py demo $(ARGS)

test: $(dev_stamp) $(torch_stamp) ## run all tests (installs PyTorch)
	@$(python) -m pytest $(ARGS)

test-fast: $(dev_stamp) ## run the tests that need no PyTorch
	@$(python) -m pytest -m "not torch" $(ARGS)

lint: $(dev_stamp) ## check style
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .

clean: ## remove the database, footage, logs and packages
	@if [ -e var/run/up.lock ] && ! flock --nonblock var/run/up.lock true; then \
		echo "SpotOn is running here (process $$(cat var/run/up.lock)): stop it first." >&2; exit 1; fi
	@echo "Removing var/ (database, footage, logs) and .venv/ (packages)"
	@rm -rf var .venv

$(run_stamp):
	@$(call install,requirements.txt,what SpotOn needs)

$(dev_stamp): | $(run_stamp)
	@$(call install,requirements-dev.txt,what the tests need)

$(torch_stamp): | $(dev_stamp)
	@$(call install,requirements-torch.txt,PyTorch: this is large)

$(run_stamp): | $(python)

$(python):
	@if [ -z "$(PYTHON)" ]; then \
		echo "SpotOn needs Python 3.11 or newer; found: $$(python3 --version 2>&1 || echo none)." >&2; \
		echo "Install one and run again, or name it: make run PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "python3 cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# $(1): requirements file, $(2): what it is. One line that counts instead of pip's hundreds; all of them in the log.
define install
	echo "Installing $(2) ($(1))"; \
	log=.venv/pip.log; began=$$SECONDS; \
	[ -t 1 ] && terminal=1 || terminal=0; \
	if ! $(python) -m pip install --disable-pip-version-check --progress-bar off -r $(1) 2>&1 | tee $$log \
		| awk -v terminal=$$terminal ' \
			function say(text) { if (terminal) printf "\r\033[K  %s", text; else print "  " text; fflush() } \
			/^Collecting /             { count++; if (terminal || count % 20 == 0) say(count " packages found: " $$2) } \
			/^ *Downloading .*[0-9] MB/ { if (terminal || /[0-9][0-9][0-9]\.[0-9] MB/) say("downloading " $$2 " " $$3 " " $$4) } \
			/^Installing collected /   { say("writing " NF - 3 " packages, about a minute") } \
			END                        { if (terminal) printf "\r\033[K" }'; \
	then grep -v '^\(Collecting\|Requirement\|  \)' $$log | tail -n 25 >&2; \
		echo "pip failed; all it said is in $$log" >&2; exit 1; fi; \
	rm -f $(firstword $(subst -, ,$@))-*; touch $@; \
	echo "  done in $$((SECONDS - began)) s"
endef
