# Every target bootstraps .venv by itself: Python 3.11+, make and pip are all that is needed.
PYTHON ?= python3
BIN := .venv/bin
WORKSPACE := core $(sort $(dir $(wildcard plugins/*/pyproject.toml)))
MANIFESTS := pyproject.toml $(addsuffix /pyproject.toml,$(patsubst %/,%,$(WORKSPACE)))
WORKERS := -n auto --maxprocesses 8 --no-loadscope-reorder
LATER := tests/core/controllers tests/core/security tests/core/settings tests/core/test_pipeline.py tests/core/web \
	$(addprefix tests/plugins/,audit oauth totp local/test_policies.py local/test_controller.py local/test_strategy.py)
PIP := $(PYTHON) -m pip --disable-pip-version-check --python $(BIN)/python install --quiet

.PHONY: install serve test test-later check docs lock bench bench-quick bench-storage bench-ldap clean

install: .venv/.installed

.venv/.installed: requirements.lock $(MANIFESTS)
	test -x $(BIN)/python || $(PYTHON) -m venv --without-pip .venv
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation $(addprefix -e ,$(WORKSPACE))
	touch $@

serve: install
	$(BIN)/visado serve

# In two workers on two cores; `make test ARGS="-n 0 tests/core -k token"` runs a part in one process.
test: install
	tests/system.sh
	$(BIN)/python -m pytest $(WORKERS) $(ARGS)

# Tests that stay in one process, as on a day in a year: a test that depends on the date fails here.
test-later: install
	$(BIN)/python -m pytest $(WORKERS) -q -rfE --days-ahead 400 $(LATER) $(ARGS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --warnings
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

# The reference pages, anew from the code.
docs: install
	$(BIN)/python docs/generate.py

# Beside the peers, in a quarter of an hour; `make bench ARGS="--only me,login"` some of it.
bench: install
	$(BIN)/python bench/run.py $(ARGS)

# Whether a hot path has become dearer than bench/baseline.json says.
bench-quick: install
	$(BIN)/python bench/quick.py

bench-storage: install
	$(BIN)/python bench/storage.py

bench-ldap: install
	$(BIN)/python bench/ldap.py

# After a dependency changed: resolve anew, with hashes.
lock:
	$(PYTHON) -m venv .cache/uv && .cache/uv/bin/pip install --quiet uv
	.cache/uv/bin/uv lock --upgrade
	.cache/uv/bin/uv export --frozen --all-packages --all-extras --no-emit-workspace --no-header --no-annotate -o requirements.lock

clean:
	rm -rf .venv .cache build dist
