.DEFAULT_GOAL := help
.PHONY: help demo test coverage long bench lowest clean

# The newest Python that runs and can make environments; or name one: make test PYTHON=/path/to/python
FITS := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
PYTHONS := python3.14 python3.13 python3.12 python3.11 python3 python
ifndef PYTHON
PYTHON := $(shell for python in $(PYTHONS); do "$$python" -c '$(FITS)' 2>/dev/null && echo "$$python" && break; done)
endif

# An environment is made anew when pyproject.toml is newer, and for another PYTHON.
MADE := made-with-$(subst /,-,$(PYTHON))
# Tests start many processes, which would compile the code again each time.
export PYTHONDONTWRITEBYTECODE :=
# Four tests at once at most: each may start a PIM, a tap and a Postgres of its own.
PARALLEL := --numprocesses=auto --maxprocesses=4 --dist=worksteal
PIP := bin/python -m pip --disable-pip-version-check -qq install

help: ## List these commands
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 10

demo: python ## Load a sandbox's assets into a real Postgres by Meltano, make tables by dbt, and show what arrived
	@$(PYTHON) demo/demo.py prepare
	@.demo/venv/bin/python demo/demo.py show

test: .venv/$(MADE) ## Run all checks and tests
	@$(MAKE) --no-print-directory --jobs=2 check pytest

.PHONY: check pytest
check:
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/lint-imports
	.venv/bin/mypy

pytest:
	.venv/bin/pytest $(PARALLEL)

coverage: .venv/$(MADE) ## Run the tests with branch coverage, which takes half as long again
	.venv/bin/pytest --cov $(PARALLEL)

long: .venv/$(MADE) ## Run the tests that take long
	.venv/bin/pytest -m long

bench: .venv/$(MADE) ## Run the benchmarks
	.venv/bin/pytest -m benchmark -s tests/benchmarks

lowest: .lowest/$(MADE) ## Run the tests with the lowest versions that pyproject.toml allows
	.lowest/bin/pytest $(PARALLEL)

clean: ## Remove the environments and what tools left behind
	rm -rf .venv .lowest .demo .environments .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*

.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 to 3.14 with venv was found: make PYTHON=/path/to/python" >&2; exit 1; }

# uv is many times faster; pip may be the one that knows where this machine's packages come from.
.venv/$(MADE): pyproject.toml | python
	$(PYTHON) -m venv --clear .venv
	.venv/$(PIP) 'pip>=25.1' uv
	.venv/bin/uv pip install --quiet --python .venv/bin/python --editable '.[sandbox]' --group test \
		|| .venv/$(PIP) --editable '.[sandbox]' --group test
	touch $@

.lowest/$(MADE): pyproject.toml | python
	$(PYTHON) -m venv --clear .lowest
	echo '*' > .lowest/.gitignore
	.lowest/$(PIP) uv
	.lowest/bin/uv pip install --quiet --python .lowest/bin/python --resolution lowest-direct \
		--editable '.[sandbox]' --group test
	touch $@
