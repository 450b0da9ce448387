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
export CARGO
export CARGO_TARGET_DIR := $(TARGET)

# One set of features for all packages at once, and one profile: demo, tests, lints, the tests' libgatekey
# and their wheel share every compiled crate. All features but `fips`, which needs Go on the building machine.
FEATURES := gatekey/capi,gatekey/cli,gatekey/http,gatekey/jsonwebtoken,gatekey/postgres,gatekey/redis,gatekey/sqlite
WORKSPACE := --locked --workspace --features $(FEATURES)

# How many rounds the tests make that kill, fork, mutate and draw: 1 in `make test`, 10 in `make test-all`.
export GATEKEY_ROUNDS ?= 1

include mk/c.mk mk/python.mk mk/bench.mk mk/dist.mk

.PHONY: help demo demo-many test test-all test-rust test-ffi test-python crash lint deny clean products servers built tools more-tools

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'
	@printf '\n%s\n' 'Three tiers: `make test` runs every test, with few rounds (GATEKEY_ROUNDS=1) and each way to build once;' \
	    '`make test-all` runs ten times the rounds and every combination; figures in milliseconds are `make bench`.'

# ---- what is built, once ----

products: ## libgatekey and the command line as the tests use them
	@$(MAKE) --no-print-directory lib LIB_PROFILE=dev

servers: ## The real servers that the tests talk to
	@$(PYTHON) tests/servers/servers.py install oidc-provider
	@$(PYTHON) tests/servers/servers.py install postgres18
	@$(PYTHON) tests/servers/servers.py install valkey
	@$(PYTHON) tests/servers/servers.py install redis
	@$(PYTHON) tests/servers/servers.py install caddy
	@$(PYTHON) tests/servers/servers.py install envoy
	@$(PYTHON) tests/servers/servers.py install traefik

# Fetching goes on while Rust is compiled.
built:
	@$(MAKE) --no-print-directory --jobs 3 venv servers products
	@$(MAKE) --no-print-directory dev-wheel

# ---- what is shown ----

demo: built ## Tokens, API keys, sessions and OAuth, used and refused, from C, C++ and Python
	@$(FFI_ENV) JOBS=2 tests/ffi/run.sh demo
	@$(MAKE) --no-print-directory demo-python

demo-many: built ## A key that is made, used and revoked on three nodes, over PostgreSQL and Valkey
	@PYTHONPATH=tests/servers $(VENV_PY) examples/many-machines/demo.py

# ---- what is tested ----

LANES = CARGO_WORDS='$(WORKSPACE)' GATEKEY_LIBRARY='$(FFI_LIBRARY)/libgatekey.so' $(FFI_ENV) $(VENV_PY) tests/lanes.py

test: built tools ## Every test, with few rounds
	@$(LANES)

test-all: built tools more-tools lib wheel ## Every test, with ten times the rounds, in every combination, and of what is shipped
	@GATEKEY_ROUNDS=10 $(LANES) --all

test-rust: built ## The lanes of the core
	@$(LANES) rust cargo

test-ffi: built tools ## The lanes of C and C++
	@$(LANES) ffi

test-python: built ## The lanes of the Python package
	@$(LANES) python

tools:
	@tests/need.sh valgrind clang-format pkg-config cmake sqlite3.h=libsqlite3-dev openssl/ssl.h=libssl-dev || true

# clang, its C++ library and linker, and what its sanitizers need when programs run.
more-tools:
	@tests/need.sh ld.lld=lld libc++.so=libc++-dev libc++abi.so=libc++abi-dev || true
	@tests/need.sh clang || exit 0; \
	runtime=$$(clang -print-resource-dir)/lib/linux/libclang_rt.asan-$$(uname -m).a; \
	tests/need.sh $$runtime=libclang-rt-$$(clang -dumpversion | cut -d. -f1)-dev || true

crash: ## Kills processes that work on keys and sessions 1000 times
	GATEKEY_ROUNDS=50 $(CARGO) test $(WORKSPACE) --test processes crash -- --nocapture

lint: ## Formatting and lints of the Rust code
	$(CARGO) fmt --all --check
	$(CARGO) clippy --all-targets $(WORKSPACE) -- -D warnings

deny: ## Licenses, sources and known weaknesses of what is built in (needs cargo-deny, and its database from the network)
	$(CARGO) deny --workspace check

clean: ## Removes everything that was built
	rm -rf $(TARGET) $(VENV) build
