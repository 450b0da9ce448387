# gatekey: `make demo` shows the main job from C, C++ and Python; `make test` runs every test.
# Both work on a machine with git, a C/C++ compiler, make, Rust and Python 3.10 or later. What else
# they need goes into .venv and target/; Debian packages are installed only when root runs them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
PYTHON ?= python3
PREFIX ?= /usr/local
DESTDIR ?=

TARGET := $(CURDIR)/target
VENV := $(CURDIR)/.venv
VENV_PY := $(VENV)/bin/python
# All but `fips`, which needs Go on the building machine.
FEATURES := capi,jsonwebtoken,sqlite,http,cli
export CARGO_TARGET_DIR := $(TARGET)

include mk/ffi.mk mk/python.mk mk/peers.mk mk/bench.mk

.PHONY: help demo test test-rust crash lint clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

demo: demo-c demo-python ## Sign and verify from C, C++ and Python, and refuse what must be refused

test: lint test-rust test-ffi test-python test-peers test-fuzz ## Every test
	@echo "All tests passed."

test-rust: ## Unit, integration and documentation tests of the core
	$(CARGO) test --features $(FEATURES)

crash: ## Kills a process that works on API keys 1000 times; `make test` does it 200 times
	GATEKEY_CRASH_ROUNDS=1000 $(CARGO) test --features $(FEATURES) --test processes crash -- --nocapture

lint: ## Formatting and lints of the Rust code
	$(CARGO) fmt --all --check
	$(CARGO) clippy --all-targets --features $(FEATURES) -- -D warnings
	$(CARGO) clippy -p gatekey-c -p gatekey-python -- -D warnings

clean: ## Removes everything that was built
	rm -rf $(TARGET) $(VENV) build
