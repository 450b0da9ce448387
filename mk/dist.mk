# What is released: `make dist` puts it into target/dist.

DIST := $(TARGET)/dist
STAGE := $(TARGET)/stage
# Cargo's own packagers, at one version, built once into target/tools.
CARGO_DEB := $(TARGET)/tools/bin/cargo-deb
CARGO_DEB_VERSION := 3.8.0
MULTIARCH = $(shell $(CC) -print-multiarch 2> /dev/null)
# Wheels run wherever glibc is this old, or musl this new; Zig's linker has the symbols of both.
GLIBC_WHEEL := manylinux_2_28
MUSL_WHEEL := musllinux_1_2
ZIG := ziglang==0.17.1
# Zig would link an unwinder of its own. Where CPython ends a thread that is in a call of ours, as it does with daemon threads
# when it exits, glibc unwinds the thread with libgcc_s, whose frames that one cannot read: SIGSEGV. (musl unwinds nothing.)
GLIBC_UNWINDER = -Clink-arg=$$($(CC) -print-file-name=libgcc_s.so.1)
# maturin asks the first python3 for it.
ZIGGED = PATH="$(VENV)/bin:$$PATH" $(SHIPPED) $(MATURIN) --release --zig --out $(DIST)
GLIBC_TARGET := x86_64-unknown-linux-gnu
MUSL_TARGET := x86_64-unknown-linux-musl

.PHONY: dist deb sdist sources wheels try-wheels

dist: ## What is released: wheels, sources, Debian packages and their SHA-256, in target/dist
	@[ -z "$$(git status --porcelain)" ] || { echo 'dist: commit your changes first: the sources are those of HEAD' >&2; exit 1; }
	@rm -rf $(DIST)
	@$(MAKE) --no-print-directory wheels sdist sources deb
	@cd $(DIST) && sha256sum *.whl *.tar.gz *.deb > SHA256SUMS
	@cat $(DIST)/SHA256SUMS

wheels: venv ## Wheels for manylinux_2_28 and musllinux_1_2, in target/dist
	@mkdir -p $(DIST) && rm -f $(DIST)/gatekey-*.whl
	@$(VENV_PY) -m pip install --quiet --disable-pip-version-check $(ZIG)
	@$(ZIGGED) --target $(GLIBC_TARGET) --compatibility $(GLIBC_WHEEL) -- $(GLIBC_UNWINDER)
	@if [ -d "$$(rustc --print sysroot)/lib/rustlib/$(MUSL_TARGET)" ]; then \
	    $(ZIGGED) --target $(MUSL_TARGET) --compatibility $(MUSL_WHEEL); \
	else \
	    echo 'dist: SKIPPED the wheel for musl: Rust lacks the target (rustup target add $(MUSL_TARGET))'; \
	fi
	@$(VENV_PY) mk/wheel.py $(DIST)/gatekey-*.whl

try-wheels: ## Checks the wheels in target/dist, and runs them in CPython 3.10 to 3.13 (PYTHONS="python3.12 ...")
	@PYTHON='$(VENV_PY)' tests/wheels.sh $(DIST)/gatekey-*.whl

sdist: venv ## The sources of the Python package, in target/dist
	@mkdir -p $(DIST)
	@$(VENV)/bin/maturin sdist --manifest-path $(PYTHON_DIR)/Cargo.toml --out $(DIST)

# Not under the name that a package index wants for the sources of the Python package.
sources: ## The sources of everything, as they are committed, in target/dist
	@mkdir -p $(DIST)
	@git archive --prefix=gatekey-$(GK_VERSION)/ --format=tar HEAD | gzip -n > $(DIST)/gatekey-source-$(GK_VERSION).tar.gz

deb: $(LIB_STAMP) $(CARGO_DEB) ## Debian packages: libgatekey0, libgatekey-dev and gatekey, in target/dist
	@[ -n '$(MULTIARCH)' ] || { echo 'deb: $(CC) does not say where Debian keeps libraries (-print-multiarch)' >&2; exit 1; }
	@rm -rf $(STAGE) && mkdir -p $(DIST) && rm -f $(DIST)/*.deb
	@$(MAKE) --no-print-directory -s install DESTDIR=$(STAGE) PREFIX=/usr LIBDIR=/usr/lib/$(MULTIARCH) \
	    BINDIR=/usr/bin INCLUDEDIR=/usr/include MANDIR=/usr/share/man DOCDIR=/usr/share/doc/libgatekey0
	@ln -sfn stage/usr/lib/$(MULTIARCH) $(TARGET)/stage-lib
	@for variant in '' --variant=dev --variant=tool; do \
	    $(CARGO_DEB) --quiet --no-build --no-strip --package gatekey-c --multiarch=$$([ "$$variant" = --variant=tool ] && echo none || echo same) \
	        $$variant --output $(DIST) || exit 1; \
	done

$(CARGO_DEB):
	@echo 'deb: building cargo-deb $(CARGO_DEB_VERSION), once'
	@$(CARGO) install --quiet --locked --root $(TARGET)/tools --target-dir $(TARGET)/tools/target cargo-deb@$(CARGO_DEB_VERSION)
	@rm -rf $(TARGET)/tools/target
