# The C library: `make lib`, `make header`, `make install`, `make test-ffi`, `make demo-c`. For Linux;
# elsewhere `cargo build --release -p gatekey-c` makes the libraries and nothing installs them.

LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
# `dev` builds the library that the tests use in seconds; what is installed is always `release`.
FFI_PROFILE ?= release

GK_VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
GK_URL := $(shell sed -n 's/^repository = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
GK_ABI := $(shell sed -n 's/^\#define GK_ABI_VERSION //p' include/gatekey.h)
# What the static library needs of the system: `cargo rustc -p gatekey-c -- --print native-static-libs`.
# The tests link programs with exactly these.
GK_NATIVE_LIBS := -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc

FFI_OUT := $(TARGET)/ffi
FFI_LIB := $(TARGET)/$(if $(filter dev,$(FFI_PROFILE)),debug,$(FFI_PROFILE))
FFI_HEADERS := $(wildcard include/*.h include/*.hpp include/gatekey/*.hpp examples/*.h tests/ffi/*.h tests/ffi/*.hpp)

FFI_WARNINGS := -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow
FFI_CFLAGS := -std=c11 -g -O1 $(FFI_WARNINGS) -Wstrict-prototypes -Iinclude
FFI_CXXFLAGS := -std=c++17 -g -O1 $(FFI_WARNINGS) -Iinclude
FFI_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FFI_SHARED := -L$(FFI_OUT)/lib -lgatekey -Wl,-rpath,$(FFI_OUT)/lib
FFI_STATIC := $(FFI_LIB)/libgatekey.a $(GK_NATIVE_LIBS)

# Every program is built three times: against the shared library, with sanitizers, and against the
# static library.
FFI_C_TESTS := arguments oauth_arguments keys roundtrip policy threads token_file apikeys session sessions revocations keyring oauth oauth_real
FFI_CXX_TESTS := wrapper apikeys_wrapper session_wrapper sessions_wrapper oauth_wrapper
FFI_TESTS := $(FFI_C_TESTS) $(FFI_CXX_TESTS)
FFI_EXAMPLES := quickstart-c quickstart-cpp tokens-c tokens-cpp keys-c keys-cpp sessions-c sessions-cpp oauth-c oauth-cpp
FFI_PROGRAMS := $(FFI_TESTS) $(FFI_EXAMPLES)

.PHONY: lib header install uninstall test-ffi demo-c format-c \
    test-ffi-headers test-ffi-shared test-ffi-static test-ffi-sanitized test-ffi-valgrind \
    test-ffi-installed test-ffi-format

lib: ## The C library: target/release/libgatekey.so and .a
	$(CARGO) build --locked --release --package gatekey-c

header: ## Renders include/gatekey.h from src/ffi
	GATEKEY_WRITE_HEADER=1 $(CARGO) test --quiet --features capi --test header

install: lib ## Installs the library, headers, pkg-config and CMake files under PREFIX
	install -d '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(LIBDIR)/cmake/gatekey' '$(DESTDIR)$(INCLUDEDIR)/gatekey'
	install -m 755 '$(TARGET)/release/libgatekey.so' '$(DESTDIR)$(LIBDIR)/libgatekey.so.$(GK_ABI)'
	ln -sf libgatekey.so.$(GK_ABI) '$(DESTDIR)$(LIBDIR)/libgatekey.so'
	install -m 644 '$(TARGET)/release/libgatekey.a' '$(DESTDIR)$(LIBDIR)/libgatekey.a'
	install -m 644 include/gatekey.h include/gatekey.hpp '$(DESTDIR)$(INCLUDEDIR)'
	install -m 644 include/gatekey/*.hpp '$(DESTDIR)$(INCLUDEDIR)/gatekey'
	$(call ffi_template,gatekey.pc,pkgconfig)
	$(call ffi_template,gatekeyConfig.cmake,cmake/gatekey)
	$(call ffi_template,gatekeyConfigVersion.cmake,cmake/gatekey)

uninstall: ## Removes what `make install` has installed
	rm -f '$(DESTDIR)$(LIBDIR)/libgatekey.so' '$(DESTDIR)$(LIBDIR)/libgatekey.so.$(GK_ABI)' '$(DESTDIR)$(LIBDIR)/libgatekey.a'
	rm -f '$(DESTDIR)$(LIBDIR)/pkgconfig/gatekey.pc' '$(DESTDIR)$(INCLUDEDIR)/gatekey.h' '$(DESTDIR)$(INCLUDEDIR)/gatekey.hpp'
	rm -rf '$(DESTDIR)$(LIBDIR)/cmake/gatekey' '$(DESTDIR)$(INCLUDEDIR)/gatekey'

# Fills in bindings/c/$(1).in and puts it below the library directory.
define ffi_template
sed -e 's|@VERSION@|$(GK_VERSION)|g' -e 's|@ABI@|$(GK_ABI)|g' -e 's|@URL@|$(GK_URL)|g' \
    -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|g' \
    -e "s|@INCLUDEDIR_FROM_HERE@|$$(realpath -m --relative-to='$(LIBDIR)/cmake/gatekey' '$(INCLUDEDIR)')|g" \
    -e 's|@NATIVE_LIBS@|$(GK_NATIVE_LIBS)|g' bindings/c/$(1).in > '$(DESTDIR)$(LIBDIR)/$(2)/$(1)'
endef

# ---- building the programs ----

# The library in the profile that is tested, under the name that programs look for when they run.
.PHONY: ffi-library
ffi-library:
	$(CARGO) build --locked --profile $(FFI_PROFILE) --package gatekey-c
	@mkdir -p $(FFI_OUT)/lib $(FFI_OUT)/shared $(FFI_OUT)/static $(FFI_OUT)/sanitized
	@ln -sf $(FFI_LIB)/libgatekey.so $(FFI_OUT)/lib/libgatekey.so.$(GK_ABI)
	@ln -sf libgatekey.so.$(GK_ABI) $(FFI_OUT)/lib/libgatekey.so

$(FFI_OUT)/shared/%: FFI_LINK = $(FFI_SHARED) -lpthread
$(FFI_OUT)/sanitized/%: FFI_LINK = $(FFI_SANITIZE) $(FFI_SHARED) -lpthread
$(FFI_OUT)/static/%: FFI_LINK = $(FFI_STATIC)

# $(1): shared, static or sanitized.
define ffi_rules
$(addprefix $(FFI_OUT)/$(1)/,$(FFI_C_TESTS)): $(FFI_OUT)/$(1)/%: tests/ffi/%.c $(FFI_HEADERS) | ffi-library
	@$$(CC) $(FFI_CFLAGS) $$< -o $$@ $$(FFI_LINK)
$(addprefix $(FFI_OUT)/$(1)/,$(FFI_CXX_TESTS)): $(FFI_OUT)/$(1)/%: tests/ffi/%.cpp tests/ffi/second.cpp $(FFI_HEADERS) | ffi-library
	@$$(CXX) $(FFI_CXXFLAGS) $$< tests/ffi/second.cpp -o $$@ $$(FFI_LINK)
$(FFI_OUT)/$(1)/%-c: examples/%.c $(FFI_HEADERS) | ffi-library
	@$$(CC) $(FFI_CFLAGS) $$< -o $$@ $$(FFI_LINK)
$(FFI_OUT)/$(1)/%-cpp: examples/%.cpp $(FFI_HEADERS) | ffi-library
	@$$(CXX) $(FFI_CXXFLAGS) $$< -o $$@ $$(FFI_LINK)
endef
$(foreach kind,shared static sanitized,$(eval $(call ffi_rules,$(kind))))
$(addprefix $(FFI_OUT)/static/,$(FFI_PROGRAMS)): $(FFI_LIB)/libgatekey.a
$(FFI_LIB)/libgatekey.a: ffi-library ; @:

ffi_fresh = rm -f $(FFI_OUT)/keys.sqlite* $(FFI_OUT)/sessions.sqlite*

# Runs a program with an authorization server, where there can be one.
ffi_oauth = $(VENV_PY) tests/oauth/run.py $(TARGET)/oauth

# A token of PyJWT's, minted just before it is used: it expires after five minutes.
ffi_pyjwt = $(VENV_PY) examples/mint_with_pyjwt.py $(FFI_OUT)/pyjwt

# Runs all programs of one kind; $(1): the kind, $(2): what to run them under.
ffi_run = for program in $(filter-out oauth_real,$(FFI_TESTS)); do $(2) $(FFI_OUT)/$(1)/$$program '$(CURDIR)'; done; \
    $(ffi_oauth) $(2) $(FFI_OUT)/$(1)/oauth_real; $(ffi_pyjwt); \
    for language in c cpp; do $(2) $(FFI_OUT)/$(1)/quickstart-$$language > /dev/null; \
        $(ffi_fresh); $(2) $(FFI_OUT)/$(1)/keys-$$language sqlite:///$(FFI_OUT)/keys.sqlite > /dev/null; \
        $(2) $(FFI_OUT)/$(1)/sessions-$$language sqlite:///$(FFI_OUT)/sessions.sqlite > /dev/null; \
        $(ffi_oauth) $(2) $(FFI_OUT)/$(1)/oauth-$$language > /dev/null; \
        $(2) $(FFI_OUT)/$(1)/tokens-$$language $(FFI_OUT)/pyjwt/jwks.json $(FFI_OUT)/pyjwt/token.txt > /dev/null; done

# ---- the demo ----

demo-c: $(addprefix $(FFI_OUT)/shared/,tokens-c tokens-cpp keys-c keys-cpp sessions-c sessions-cpp oauth-c oauth-cpp) | venv ## The demo in C and in C++
	@$(ffi_pyjwt)
	@$(FFI_OUT)/shared/tokens-c $(FFI_OUT)/pyjwt/jwks.json $(FFI_OUT)/pyjwt/token.txt
	@$(FFI_OUT)/shared/tokens-cpp $(FFI_OUT)/pyjwt/jwks.json $(FFI_OUT)/pyjwt/token.txt
	@for language in c cpp; do $(ffi_fresh); echo "API keys, $$language"; \
	    $(FFI_OUT)/shared/keys-$$language sqlite:///$(FFI_OUT)/keys.sqlite; \
	    echo "Sessions, $$language"; \
	    $(FFI_OUT)/shared/sessions-$$language sqlite:///$(FFI_OUT)/sessions.sqlite; \
	    echo "OAuth, $$language"; $(ffi_oauth) $(FFI_OUT)/shared/oauth-$$language; done

# ---- the tests ----

test-ffi: test-ffi-format test-ffi-headers test-ffi-shared test-ffi-static test-ffi-sanitized test-ffi-valgrind test-ffi-installed ## The C and C++ tests

test-ffi-headers:
	@tests/ffi/headers.sh '$(CC)' '$(CXX)' '$(FFI_WARNINGS)'

test-ffi-shared: $(addprefix $(FFI_OUT)/shared/,$(FFI_PROGRAMS)) | venv
	@echo "ffi: against the shared library"
	@$(call ffi_run,shared,)

test-ffi-static: $(addprefix $(FFI_OUT)/static/,$(FFI_PROGRAMS)) | venv
	@echo "ffi: against the static library"
	@$(call ffi_run,static,)

# The sanitizers are proven to be in: a program without them passes as well.
test-ffi-sanitized: $(addprefix $(FFI_OUT)/sanitized/,$(FFI_PROGRAMS)) | venv
	@echo "ffi: under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer"
	@for program in $(FFI_PROGRAMS); do for runtime in libasan libubsan; do \
	    readelf -d $(FFI_OUT)/sanitized/$$program | grep "NEEDED.*$$runtime" > /dev/null || { echo "$$program was built without $$runtime"; exit 1; }; \
	done; done
	@export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1; $(call ffi_run,sanitized,)

test-ffi-valgrind: $(addprefix $(FFI_OUT)/shared/,$(FFI_PROGRAMS)) | venv
	@tests/ffi/need.sh valgrind || exit 0; echo "ffi: under Valgrind"; \
	$(call ffi_run,shared,valgrind --quiet --error-exitcode=1 --leak-check=full --show-leak-kinds=definite$(ffi_comma)possible --errors-for-leak-kinds=definite$(ffi_comma)possible)
ffi_comma := ,

test-ffi-installed: lib
	@tests/ffi/installed.sh '$(MAKE)' '$(CC)' '$(CXX)' '$(FFI_OUT)/installed' '$(GK_ABI)'

format-c: ## Formats the C and C++ code
	clang-format -i $(FFI_FORMATTED)

# Each version of clang-format has opinions of its own; this one is Debian 12's.
test-ffi-format:
	@tests/ffi/need.sh clang-format || exit 0; \
	clang-format --version | grep 'version 14\.' > /dev/null || { echo "ffi: SKIPPED the format of C and C++: it is checked by clang-format 14"; exit 0; }; \
	clang-format --dry-run --Werror $(FFI_FORMATTED) && echo "ffi: formatted"

FFI_FORMATTED = $(filter-out include/gatekey.h,$(wildcard include/*.h include/*.hpp include/gatekey/*.hpp examples/*.c examples/*.cpp examples/*.h tests/ffi/*.c tests/ffi/*.cpp tests/ffi/*.h tests/ffi/consumer/*.c tests/ffi/consumer/*.cpp))
