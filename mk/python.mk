# The Python package: .venv with pinned tools, the wheel, its tests and its demo.

PYTHON_DIR := $(CURDIR)/bindings/python
VENV_STAMP := $(VENV)/.gatekey-tools
WHEELS := $(TARGET)/python
WHEEL_STAMP := $(VENV)/.gatekey-wheel
PYTHON_SOURCES := $(shell find $(PYTHON_DIR)/src $(PYTHON_DIR)/gatekey src -name '*.rs' -o -name '*.py' -o -name '*.pyi')
PYTHON_EXAMPLES := $(addprefix $(CURDIR)/,$(wildcard examples/*.py))

.PHONY: venv wheel test-python demo-python

venv: $(VENV_STAMP) ## .venv with the pinned Python tools

# Debian's Python lacks ensurepip unless python3-venv is installed.
$(VENV_STAMP): $(PYTHON_DIR)/requirements-dev.txt
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
	@$(VENV_PY) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

wheel: $(WHEEL_STAMP) ## The wheel, built and installed into .venv

$(WHEEL_STAMP): $(VENV_STAMP) $(PYTHON_SOURCES) Cargo.toml Cargo.lock $(PYTHON_DIR)/Cargo.toml $(PYTHON_DIR)/pyproject.toml $(PYTHON_DIR)/README.md
	@echo "python: building the wheel (the first time takes a few minutes: it compiles AWS-LC)"
	@rm -f $(WHEELS)/gatekey-*.whl
	@$(VENV)/bin/maturin build --quiet --release --locked --manifest-path $(PYTHON_DIR)/Cargo.toml --interpreter $(VENV_PY) --out $(WHEELS)
	@$(VENV_PY) -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $(WHEELS)/gatekey-*.whl
	@touch $@

test-python: $(WHEEL_STAMP) ## Tests, types, stubs and lints of the Python package
	@echo "python: tests"
	cd $(PYTHON_DIR) && $(VENV)/bin/pytest -q
	@echo "python: types, stubs, lints"
	cd $(PYTHON_DIR) && $(VENV_PY) -m mypy -p gatekey && $(VENV_PY) -m mypy tests $(PYTHON_EXAMPLES)
	cd $(PYTHON_DIR)/tests && $(VENV_PY) -m mypy.stubtest gatekey
	cd $(PYTHON_DIR) && $(VENV)/bin/ruff check --quiet --config pyproject.toml . $(PYTHON_EXAMPLES) ../../tests/oauth
	cd $(PYTHON_DIR) && $(VENV)/bin/ruff format --quiet --check --config pyproject.toml . $(PYTHON_EXAMPLES) ../../tests/oauth

demo-python: $(WHEEL_STAMP) ## The demo in Python
	@$(VENV_PY) examples/tokens.py
	@rm -f $(WHEELS)/keys.sqlite*; echo "API keys, Python"
	@$(VENV_PY) examples/keys.py sqlite:///$(WHEELS)/keys.sqlite
	@rm -f $(WHEELS)/sessions.sqlite*; echo "Sessions, Python"
	@$(VENV_PY) examples/sessions.py sqlite:///$(WHEELS)/sessions.sqlite
	@echo "OAuth, Python"; $(VENV_PY) tests/oauth/run.py $(TARGET)/oauth $(VENV_PY) examples/oauth.py
