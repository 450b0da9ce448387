# Speed and fuzzing: `make bench`, `make callgrind`, `make fuzz`, `make test-fuzz`.

FUZZ_SECONDS ?= 60
BENCH_ENV = CARGO='$(CARGO)' PYTHON='$(PYTHON)' TARGET='$(TARGET)'

.PHONY: bench callgrind fuzz test-fuzz

# Measures gatekey and its peers and writes docs/bench.md and docs/bench.svg; QUICK=1 only prints.
bench:
	$(BENCH_ENV) $(PYTHON) benches/run.py

# Counts the instructions of one HS256 verify and sign.
callgrind:
	$(BENCH_ENV) $(PYTHON) benches/callgrind.py

# Runs every fuzz target for FUZZ_SECONDS.
fuzz:
	CARGO='$(CARGO)' TARGET='$(TARGET)' FUZZ_SECONDS='$(FUZZ_SECONDS)' fuzz/run.sh

# The same targets over their seeds and a fixed sequence of mutations, on the stable toolchain.
test-fuzz:
	CARGO_TARGET_DIR='$(TARGET)' $(CARGO) test --manifest-path fuzz/Cargo.toml
