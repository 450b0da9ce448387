# The Python package: .venv with pinned tools, the wheel, its demo.

PYTHON_DIR := $(CURDIR)/bindings/python
VENV_STAMP := $(VENV)/.gatekey-tools
WHEELS := $(TARGET)/python
DEV_WHEEL_STAMP := $(VENV)/.gatekey-dev-wheel
PYTHON_SOURCES := $(shell find $(PYTHON_DIR)/src $(PYTHON_DIR)/gatekey src -name '*.rs' -o -name '*.py' -o -name '*.pyi')
MATURIN = $(VENV)/bin/maturin build --quiet --locked --manifest-path $(PYTHON_DIR)/Cargo.toml --interpreter $(VENV_PY)

.PHONY: venv wheel dev-wheel demo-python

venv: $(VENV_STAMP) ## .venv with the pinned Python tools

# Debian's Python lacks ensurepip unless python3-venv is installed.
$(VENV_STAMP): $(PYTHON_DIR)/requirements-dev.txt tests/peers/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or later is needed: make PYTHON=python3.12"; exit 1; }
	@if ! test -x $(VENV_PY) || ! $(VENV_PY) -m pip --version >/dev/null 2>&1; then \
	    echo "python: creating .venv"; rm -rf $(VENV); \
	    if ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
	        test "$$(id -u)" = 0 && command -v apt-get >/dev/null || { echo "python3-venv is needed: apt-get install python3-venv"; exit 1; }; \
	        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >/dev/null; \
	    fi; \
	    $(PYTHON) -m venv $(VENV); \
	fi
	@echo "python: installing the pinned tools into .venv"
	@$(VENV_PY) -m pip install --quiet --disable-pip-version-check $(addprefix -r ,$^)
	@touch $@

wheel: venv ## The wheel as it is shipped, in target/python
	@echo "python: building the wheel (the first time takes a few minutes: it compiles AWS-LC)"
	@rm -f $(WHEELS)/gatekey-*.whl
	@$(SHIPPED) $(MATURIN) --release --out $(WHEELS)
	@$(VENV_PY) mk/wheel.py $(WHEELS)/gatekey-*.whl

# The wheel of the tests, in .venv: from the crates that are compiled already.
dev-wheel: $(DEV_WHEEL_STAMP)

$(DEV_WHEEL_STAMP): $(VENV_STAMP) $(PYTHON_SOURCES) Cargo.toml Cargo.lock $(PYTHON_DIR)/Cargo.toml $(PYTHON_DIR)/pyproject.toml $(PYTHON_DIR)/README.md
	@echo "python: building the wheel of the tests"
	@rm -rf $(WHEELS)-dev
	@$(MATURIN) --profile dev --features gatekey/capi,gatekey/jsonwebtoken --out $(WHEELS)-dev
	@$(VENV_PY) -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $(WHEELS)-dev/gatekey-*.whl
	@touch $@

demo-python:
	@$(VENV_PY) examples/tokens.py
	@rm -f $(TARGET)/keys.sqlite*; echo "API keys, Python"
	@$(VENV_PY) examples/apikey.py sqlite:///$(TARGET)/keys.sqlite
	@rm -f $(TARGET)/sessions.sqlite*; echo "Sessions, Python"
	@$(VENV_PY) examples/session.py sqlite:///$(TARGET)/sessions.sqlite
	@echo "OAuth, Python"; $(VENV_PY) tests/servers/servers.py run oidc-provider $(VENV_PY) examples/oauth.py

.PHONY: stub
stub: dev-wheel ## Puts the docstrings of the extension into its stub, _core.pyi
	@$(VENV_PY) -P -c 'import sys; sys.path.insert(0, "$(PYTHON_DIR)/tests"); import runpy; runpy.run_module("documented", run_name="__main__")'
