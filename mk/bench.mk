# Speed and fuzzing: `make bench`, `make callgrind`, `make fuzz`.

FUZZ_SECONDS ?= 60
BENCH_ENV = CARGO='$(CARGO)' PYTHON='$(PYTHON)' TARGET='$(TARGET)'

.PHONY: bench bench-api-keys bench-asyncio bench-guard bench-many-machines bench-pg18 bench-proxies bench-services bench-sessions callgrind fuzz

bench: wheel ## Measures gatekey beside its peers, writes docs/bench*.md and docs/bench.svg (QUICK=1: prints)
	@$(MAKE) --no-print-directory install PREFIX=$(TARGET)/bench/prefix DESTDIR=
	$(BENCH_ENV) $(PYTHON) benches/run.py
	$(BENCH_ENV) $(PYTHON) benches/apikey.py
	$(BENCH_ENV) $(PYTHON) benches/session.py
	$(BENCH_ENV) $(PYTHON) benches/aio.py
	$(BENCH_ENV) $(PYTHON) benches/guard.py

bench-api-keys: wheel ## The part of `make bench` that is about API keys
	@$(MAKE) --no-print-directory install PREFIX=$(TARGET)/bench/prefix DESTDIR=
	$(BENCH_ENV) $(PYTHON) benches/apikey.py

bench-sessions: wheel ## The part of `make bench` that is about sessions and revocations
	$(BENCH_ENV) $(PYTHON) benches/session.py

bench-asyncio: wheel ## The part of `make bench` that is about asyncio
	$(BENCH_ENV) $(PYTHON) benches/aio.py

bench-guard: wheel ## The part of `make bench` that is about the guard
	@$(MAKE) --no-print-directory install PREFIX=$(TARGET)/bench/prefix DESTDIR=
	$(BENCH_ENV) $(PYTHON) benches/guard.py

bench-services: wheel ## The part of `make bench-guard` that is about the services in C and C++; prints
	@$(MAKE) --no-print-directory install PREFIX=$(TARGET)/bench/prefix DESTDIR=
	$(BENCH_ENV) $(PYTHON) benches/services.py

bench-pg18: ## What a log-in of PostgreSQL with examples/pg18-validator costs beside trust (LOGINS=200); prints
	$(PYTHON) benches/pg18.py

bench-proxies: ## What a decision of examples/proxies costs behind each proxy (ROUNDS=5 SECONDS=3); prints
	@$(MAKE) --no-print-directory dev-wheel
	@$(MAKE) --no-print-directory install PREFIX=$(TARGET)/bench/prefix DESTDIR=
	FFI_LIBRARY='$(TARGET)/bench/prefix/lib' $(VENV_PY) benches/proxies.py

bench-many-machines: wheel servers ## Writes docs/bench-many-machines.md: revocations between nodes, changes in a second (QUICK=1: prints)
	@$(VENV_PY) -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(TARGET)/bench/many $(WHEELS)/gatekey-*.whl
	PYTHONPATH='$(TARGET)/bench/many' $(VENV_PY) benches/many.py

callgrind: ## Counts the instructions of one HS256 verify and sign (ALG=ES256: of another algorithm)
	$(BENCH_ENV) $(PYTHON) benches/callgrind.py

fuzz: ## Runs every fuzz target under libFuzzer for FUZZ_SECONDS (60)
	CARGO='$(CARGO)' TARGET='$(TARGET)' FUZZ_SECONDS='$(FUZZ_SECONDS)' fuzz/run.sh
