# Two commands do everything: `make run` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# The one list of Debian packages. `make run` can do without all but the first.
PACKAGES := python3-venv mosquitto chromium fonts-noto-cjk nftables iproute2 faketime procps
APT := apt-get install -y --no-install-recommends
# A folder of wheels, when there is one, replaces the package index: install from a USB stick.
PIP_FROM := $(if $(wildcard wheels),--no-index --find-links wheels)
PYTEST := $(BIN)/python -m pytest -q

.PHONY: help run test pages pictures proof storm deps deps-run lint unit bench kill-runs clean

help:
	@echo "make run    the demo: broker, HQ and three wards; ARGS='--no-story' etc."
	@echo "make test   lint, types, every test but the browser's"
	@echo "make pages  the pages in a real browser (≤ 10 min)"
	@echo "make pictures  a contact sheet of every screen in build/pictures (≤ 5 min)"
	@echo "make proof  simulated storms, planted faults, failing disks, real hosts and brokers, forgeries (≤ 25 min)"
	@echo "make storm  10,000 simulated storms and as many power cuts, by hand"
	@echo "make lint   ruff, mypy, import contracts"
	@echo "make bench  figures of this machine, table and JSON"
	@echo "make kill-runs  50 runs of killing every process (ARGS='--runs 2' for fewer)"

run: deps-run $(VENV)/.run
	@$(BIN)/meshrelay demo $(ARGS)

test: deps lint unit

deps:
	@missing=$$(for package in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; \
	done | xargs); \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ]; then sudo=; \
	elif sudo -n true 2>/dev/null; then sudo=sudo; \
	else echo "Missing Debian packages; run this line, then make again:"; \
	  echo "  sudo $(APT) $$missing"; exit 2; fi; \
	$$sudo apt-get update -q; DEBIAN_FRONTEND=noninteractive $$sudo $(APT) $$missing

# Without root the demo runs with what is there: amqtt stands in for Mosquitto.
deps-run:
	@if [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then $(MAKE) --no-print-directory deps; \
	elif $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then true; \
	else $(MAKE) --no-print-directory deps PACKAGES=python3-venv; fi

$(VENV)/.run: requirements.lock pyproject.toml
	@echo "Preparing $(VENV) (once, about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) and sys.maxsize > 2**32 else "meshrelay needs a 64-bit Python 3.11 or newer")'
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes $(PIP_FROM) -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test: requirements-test.lock $(VENV)/.run
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes $(PIP_FROM) -r requirements-test.lock
	@touch $@

# An independent COSE implementation in an environment of its own (it pins an older cbor2).
.venv-cwt/.done: tests/vectors/cwt.lock
	@$(PYTHON) -m venv .venv-cwt
	@.venv-cwt/bin/python -m pip install -q --disable-pip-version-check --require-hashes $(PIP_FROM) -r $<
	@touch $@

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache | tail -20

unit: $(VENV)/.test .venv-cwt/.done
	$(PYTEST) -n 2 --ignore tests/pages $(ARGS)

pages: deps $(VENV)/.test
	$(PYTEST) -n 2 tests/pages $(ARGS)

pictures: deps $(VENV)/.test
	$(BIN)/python -m tests.pages.pictures build/pictures $(ARGS)

# Each row prints its seeds, kills and cases, and the line that repeats a failure.
proof: deps $(VENV)/.test
	$(BIN)/python -m tests.sim --seeds 0..300 --both-hash-seeds
	$(BIN)/python -m tests.sim --seeds 20000..20150
	$(BIN)/python -m tests.sim --faults
	$(BIN)/python -m tests.forged
	$(BIN)/python -m tests.forged.restored --cases 20
	$(BIN)/python -m tests.disk
	$(BIN)/python -m tests.field.kill_runs --runs 2
	$(BIN)/python -m tests.lab hosts
	$(BIN)/python -m tests.lab brokers

storm: deps $(VENV)/.test
	$(BIN)/python -m tests.sim --storm $(ARGS)
	$(BIN)/python -m tests.disk --only cuts --cuts 10000 --jobs 2

bench: deps $(VENV)/.test
	$(BIN)/python -m tests.benchmarks $(ARGS)

kill-runs: deps $(VENV)/.test
	$(BIN)/python -m tests.field.kill_runs --runs 50 $(ARGS)

clean:
	rm -rf $(VENV) .venv-cwt
