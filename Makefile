# Everything a newcomer types. It presumes python3 (3.11 or later) and make; the rest it installs into .venv,
# or, where the system must give it, installs as root by apt-get, or names with the command that installs it.

PYTHON ?= python3
ARGS ?=
CODE := services ingest scheduler notifier scoring tests $(wildcard bench)
PIP := .venv/bin/python -m pip --disable-pip-version-check install --quiet --no-input
BROWSER := chromium fontconfig fonts-noto-cjk

.DEFAULT_GOAL := help
.PHONY: help up test lint kafka bench lock browser clean

help: ## Show what there is.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  ARGS="…" is passed on: make up ARGS="--speed 3600", make test ARGS="tests/ingest -x"'

up: .venv/.installed ## Start everything on this machine and play sample tickets; Ctrl-C ends it.
	@exec .venv/bin/huifang up --sample $(ARGS)

test: .venv/.installed-dev browser ## Run the tests, against real PostgreSQL and, with Java 17 and Maven, real Kafka.
	.venv/bin/pytest $(ARGS)

lint: .venv/.installed-dev ## Check form, style and types.
	.venv/bin/ruff format --check $(CODE)
	.venv/bin/ruff check $(CODE)
	.venv/bin/mypy --strict $(CODE)

kafka: .venv/.installed ## Keep an Apache Kafka running for development, on 127.0.0.1:9092; Ctrl-C ends it.
	@exec .venv/bin/python -m tests.kafka $(ARGS)

bench: .venv/.installed-dev ## Measure each flow beside its limit.
	.venv/bin/python -m bench $(ARGS)

lock: ## Renew the locked versions (needs the network).
	test -x .cache/uv/bin/uv || { $(PYTHON) -m venv .cache/uv && .cache/uv/bin/pip install --quiet uv; }
	for name in requirements requirements-build requirements-dev; do \
	  .cache/uv/bin/uv pip compile --quiet --upgrade --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --output-file $$name.lock $$name.in || exit 1; \
	done

clean: ## Remove what was built and fetched. Data of `make up` stays where it is.
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info

# The project itself stands in .venv as an editable install: a change of the code needs no new one.
.venv/.installed: requirements.lock requirements-build.lock pyproject.toml | .venv/bin/python
	@echo "Installing dependencies into .venv …"
	@$(PIP) --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.installed-dev: requirements-dev.lock .venv/.installed
	@echo "Installing what tests and checks need into .venv …"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; $(PYTHON) is older. Another one: make PYTHON=python3.13 …"; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { rm -rf .venv; echo "This Python has no venv; on Debian: apt-get install python3-venv"; exit 1; }

browser:
	@if { command -v chromium || command -v chromium-browser || command -v google-chrome; } > /dev/null \
	  && fc-list :lang=zh | grep -q .; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  echo "Installing $(BROWSER) …"; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(BROWSER); } \
	    > /dev/null || echo "!!! $(BROWSER) cannot be installed here: the browser tests are skipped !!!"; \
	else echo "!!! Chromium or Chinese fonts are missing; tests that need them are skipped. They come by:" \
	  "sudo apt-get install $(BROWSER) !!!"; fi
