# The C library: `make lib`, `make header`, `make install`. For Linux; elsewhere
# `cargo build --release -p gatekey-c` makes the libraries and nothing installs them.

BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/gatekey
# `release` is what is shipped. `dev` is what the tests have built already; they install it, too.
LIB_PROFILE ?= release

GK_VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
GK_URL := $(shell sed -n 's/^repository = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
GK_ABI := $(shell sed -n 's/^\#define GK_ABI_VERSION //p' include/gatekey.h)
# What the static library needs of the system, beside what every compiler adds: less than `cargo rustc -p gatekey-c --
# --print native-static-libs` says, for libgcc_s and libc are the compiler's to choose (libgcc_eh and libc.a where it
# links with -static). From glibc 2.34 on, libpthread and libdl are empty. The tests link programs with exactly these.
GK_NATIVE_LIBS := -lpthread -ldl -lm

LIB_FOLDER := $(TARGET)/$(if $(filter dev,$(LIB_PROFILE)),debug,$(LIB_PROFILE))
# Newer than all that the library is made of, once it is built: nothing needs Cargo then. Not from the root, where a folder
# may have a space in its name.
LIB_STAMP := $(subst $(CURDIR)/,,$(LIB_FOLDER))/.gatekey-lib
LIB_SOURCES := $(shell find src bindings/c -name '*.rs' -o -name '*.sh') build.rs cbindgen.toml include/gatekey.h \
    Cargo.toml Cargo.lock bindings/c/Cargo.toml
LIB_FILES := $(addprefix $(dir $(LIB_STAMP)),libgatekey.so static/libgatekey.a gatekey man/gatekey.1)

# What is shipped names no folder of who built it: not in Rust's panics, not in the asserts of AWS-LC and SQLite.
CARGO_HOME ?= $(HOME)/.cargo
export SHIPPED_RUSTFLAGS := $(strip $(RUSTFLAGS) --remap-path-prefix=$(CARGO_HOME)/registry/src=/registry --remap-path-prefix=$(CURDIR)=/gatekey)
export SHIPPED_CFLAGS := $(strip $(CFLAGS) -ffile-prefix-map=$(CARGO_HOME)/registry/src=/registry -ffile-prefix-map=$(CURDIR)=/gatekey)
SHIPPED = RUSTFLAGS='$(SHIPPED_RUSTFLAGS)' CFLAGS='$(SHIPPED_CFLAGS)'

# What the scripts in tests/ffi need to know. Not CC itself: Cargo would compile AWS-LC and SQLite again.
FFI_LIBRARY := $(TARGET)/debug
FFI_ENV = FFI_CC='$(CC)' FFI_CXX='$(CXX)' FFI_LIBRARY='$(FFI_LIBRARY)' FFI_OUT='$(TARGET)/ffi' FFI_NATIVE_LIBS='$(GK_NATIVE_LIBS)' PYTHON='$(VENV_PY)'

NOTICES := LICENSE-MIT LICENSE-APACHE THIRD-PARTY.md

.PHONY: lib header errors install uninstall format-c notices

lib: ## The C library and the command line: libgatekey.so, static/libgatekey.a and gatekey in target/release
	$(if $(filter dev,$(LIB_PROFILE)),,$(SHIPPED) )$(CARGO) build $(if $(filter dev,$(LIB_PROFILE)),$(WORKSPACE),--locked --release --package gatekey-c --package gatekey --features gatekey/cli)
	@bindings/c/localize.sh '$(LIB_FOLDER)/libgatekey.a' '$(LIB_FOLDER)/static/libgatekey.a'
	@rm -rf '$(LIB_FOLDER)/man' && '$(LIB_FOLDER)/gatekey' man '$(LIB_FOLDER)/man'
	@touch '$(LIB_STAMP)'

# What has to be built yet. Who installs as root may not have Cargo, and needs none after `make lib`.
$(LIB_STAMP): $(LIB_SOURCES) $(if $(filter-out $(wildcard $(LIB_FILES)),$(LIB_FILES)),lacking)
	@command -v $(firstword $(CARGO)) > /dev/null || { echo 'make: the library is not built, or is older than its sources.' \
	    'Run `make lib` first, as a user whose PATH has $(firstword $(CARGO)).' >&2; exit 1; }
	@$(MAKE) --no-print-directory lib

.PHONY: lacking

errors: ## Renders the statuses of C and C++ and docs/errors.md from src/error/kind.rs
	GATEKEY_WRITE_ERRORS=1 $(CARGO) test --quiet $(WORKSPACE) --test errors _rendered

header: ## Renders include/gatekey.h from src/ffi
	GATEKEY_WRITE_HEADER=1 $(CARGO) test --quiet $(WORKSPACE) --test header

install: $(LIB_STAMP) ## Installs library, headers, command line, manual pages and notices under PREFIX; builds what is missing
	install -d '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(LIBDIR)/cmake/gatekey' '$(DESTDIR)$(INCLUDEDIR)/gatekey' \
	    '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(DOCDIR)'
	install -m 755 '$(LIB_FOLDER)/gatekey' '$(DESTDIR)$(BINDIR)'
	install -m 644 '$(LIB_FOLDER)'/man/*.1 '$(DESTDIR)$(MANDIR)/man1'
	install -m 644 $(NOTICES) '$(DESTDIR)$(DOCDIR)'
	install -m 755 '$(LIB_FOLDER)/libgatekey.so' '$(DESTDIR)$(LIBDIR)/libgatekey.so.$(GK_VERSION)'
	ln -sf libgatekey.so.$(GK_VERSION) '$(DESTDIR)$(LIBDIR)/libgatekey.so.$(GK_ABI)'
	ln -sf libgatekey.so.$(GK_ABI) '$(DESTDIR)$(LIBDIR)/libgatekey.so'
	install -m 644 '$(LIB_FOLDER)/static/libgatekey.a' '$(DESTDIR)$(LIBDIR)/libgatekey.a'
	install -m 644 include/gatekey.h include/gatekey.hpp '$(DESTDIR)$(INCLUDEDIR)'
	install -m 644 include/gatekey/*.hpp '$(DESTDIR)$(INCLUDEDIR)/gatekey'
	$(call ffi_template,gatekey.pc,pkgconfig)
	$(call ffi_template,gatekeyConfig.cmake,cmake/gatekey)
	$(call ffi_template,gatekeyConfigVersion.cmake,cmake/gatekey)

uninstall: ## Removes what `make install` has installed
	rm -f '$(DESTDIR)$(LIBDIR)/libgatekey.so' '$(DESTDIR)$(LIBDIR)'/libgatekey.so.$(GK_ABI){,.*} '$(DESTDIR)$(LIBDIR)/libgatekey.a'
	rm -f '$(DESTDIR)$(BINDIR)/gatekey' '$(DESTDIR)$(MANDIR)'/man1/gatekey{,-*}.1
	rm -rf '$(DESTDIR)$(DOCDIR)'
	rm -f '$(DESTDIR)$(LIBDIR)/pkgconfig/gatekey.pc' '$(DESTDIR)$(INCLUDEDIR)/gatekey.h' '$(DESTDIR)$(INCLUDEDIR)/gatekey.hpp'
	rm -rf '$(DESTDIR)$(LIBDIR)/cmake/gatekey' '$(DESTDIR)$(INCLUDEDIR)/gatekey'

# What lies below PREFIX is named from there: who moves the whole takes nothing apart.
inside = $(filter $(PREFIX)/%,$(1))
in_prefix = $(if $(call inside,$(1)),$${prefix}$(patsubst $(PREFIX)%,%,$(1)),$(1))

# Fills in bindings/c/$(1).in and puts it below the library directory.
define ffi_template
sed -e 's|@VERSION@|$(GK_VERSION)|g' -e 's|@ABI@|$(GK_ABI)|g' -e 's|@URL@|$(GK_URL)|g' \
    -e "s|@PREFIX_FROM_HERE@|$(if $(call inside,$(LIBDIR)),\$${pcfiledir}/$$(realpath -m --relative-to='$(LIBDIR)/pkgconfig' '$(PREFIX)'),$(PREFIX))|g" \
    -e 's|@LIBDIR_IN_PREFIX@|$(call in_prefix,$(LIBDIR))|g' -e 's|@INCLUDEDIR_IN_PREFIX@|$(call in_prefix,$(INCLUDEDIR))|g' \
    -e "s|@INCLUDEDIR_FROM_HERE@|$$(realpath -m --relative-to='$(LIBDIR)/cmake/gatekey' '$(INCLUDEDIR)')|g" \
    -e 's|@NATIVE_LIBS@|$(GK_NATIVE_LIBS)|g' bindings/c/$(1).in > '$(DESTDIR)$(LIBDIR)/$(2)/$(1)'
endef

notices: ## Writes THIRD-PARTY.md: what is linked into the products, and its licenses
	$(PYTHON) mk/notices.py

format-c: ## Formats the C and C++ code
	@tests/ffi/format.sh -i
