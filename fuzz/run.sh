#!/bin/bash
# Runs every fuzz target for FUZZ_SECONDS under libFuzzer and prints its runs and coverage; fails when
# one crashes. With a nightly toolchain AddressSanitizer watches too; without one that is skipped.
set -euo pipefail
cd "$(dirname "$0")"

targets=(token header jwk pem json apikey request refresh oauth)
seconds=${FUZZ_SECONDS:-60}
cargo=${CARGO:-cargo}
out=${TARGET:-../target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')

# What cargo-fuzz passes: the compiler's own coverage instrumentation, which libFuzzer reads.
flags='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing'
toolchain=()
if rustup run nightly rustc --version >/dev/null 2>&1; then
    toolchain=(+nightly)
    flags+=' -Zsanitizer=address'
else
    echo 'fuzz: skipped: AddressSanitizer (no nightly toolchain); fuzzing goes on without it'
fi

echo 'fuzz: building' >&2
RUSTFLAGS=$(echo $flags) CARGO_TARGET_DIR=$out \
    "$cargo" ${toolchain[@]+"${toolchain[@]}"} build --profile fuzz --features libfuzzer --target "$host" --quiet

failed=0
for target in "${targets[@]}"; do
    echo "fuzz: $target for $seconds s" >&2
    mkdir -p "corpus/$target" artifacts
    log=$out/$target.log
    if "$out/$host/fuzz/$target" -max_total_time="$seconds" -max_len=8192 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="artifacts/$target-" "corpus/$target" "seeds/$target" >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        coverage=$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -n 1)
        echo "fuzz: $target: no crash in $runs runs; ${coverage/ft/features}"
    else
        failed=1
        tail -n 40 "$log"
        echo "fuzz: $target: CRASHED; the input is in fuzz/artifacts"
    fi
done
exit $failed
