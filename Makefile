# Two commands matter: `make demo` and `make test`. Both set themselves up with Python 3.11+, git and make.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
# uv trusts the system's certificates too: harmless elsewhere, needed behind a proxy with its own.
export UV_SYSTEM_CERTS := 1
DEMO_ARGUMENTS ?=
TEST_ARGUMENTS ?=
BENCH_ARGUMENTS ?=
SEEDS ?= 200
FIRST ?= 1
JOBS ?= 2
PLANTED ?=
ROUNDS ?= 100
KILLS ?= 1000

.PHONY: demo test bench freshness fairness profiles world planted chaos lint format lock node clean

demo: $(VENV)/ready
	$(BIN)/syncer demo $(DEMO_ARGUMENTS)

test: lint node
	$(BIN)/pytest -n 2 $(TEST_ARGUMENTS)

bench: $(VENV)/ready node
	$(BIN)/python -m bench $(BENCH_ARGUMENTS)

freshness: $(VENV)/ready
	$(BIN)/python -m bench.freshness

fairness: $(VENV)/ready
	$(BIN)/python -m bench.fairness

# Where the time goes in some rows of the bench, under py-spy.
profiles: $(VENV)/ready
	$(BIN)/python -m bench.profiles

# Random worlds (tests/world), JOBS at once: `make world SEEDS=1000 FIRST=201`.
world: $(VENV)/ready
	$(BIN)/python -m tests.world --seeds $(SEEDS) --first $(FIRST) --jobs $(JOBS)

# Bugs that were planted on purpose, and how many worlds it takes to find each; `make planted PLANTED=guard_off` tries one.
planted: $(VENV)/ready
	$(BIN)/python -m tests.world.planted $(PLANTED)

# Receivers that are killed right after an answer, then workers that are killed and frozen while people edit
# (tests/chaos): `make chaos KILLS=0 ROUNDS=1 FIRST=7`.
chaos: $(VENV)/ready
	$(BIN)/python -m tests.chaos --rounds $(ROUNDS) --first $(FIRST) --kills $(KILLS)

lint: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Keeps the versions that are locked; `make lock LOCK_ARGUMENTS=--upgrade` takes the newest that pyproject.toml allows.
lock: $(VENV)/ready
	echo "uv==$(UV_VERSION)" | $(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate \
		--python-version 3.11 - -o requirements/uv.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 --extra demo \
		pyproject.toml -o requirements/run.txt $(LOCK_ARGUMENTS)
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 --extra demo --group dev \
		-c requirements/run.txt pyproject.toml -o requirements/dev.txt $(LOCK_ARGUMENTS)
	echo "hatchling" | $(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate \
		--python-version 3.11 -c requirements/dev.txt - -o requirements/build.txt

$(VENV)/ready: requirements/uv.txt requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "syncer needs Python 3.11 or newer with its venv and ensurepip modules; none was found on PATH." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

# Google's own client for Node, one of those that the simulated Google is tried with.
NODE_CLIENT := tests/node/node_modules

node:
	@if npm --version >/dev/null 2>&1 && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; then \
		$(MAKE) -s $(NODE_CLIENT)/ready; \
	else \
		echo "There is no Node 18 or newer with npm here: what needs Google's client for Node is left out."; \
	fi

$(NODE_CLIENT)/ready: tests/node/package.json tests/node/package-lock.json
	cd tests/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --no-update-notifier
	touch $@

clean:
	rm -rf $(VENV) $(NODE_CLIENT) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
