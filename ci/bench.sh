#!/usr/bin/env bash
# The yardstick still works: every workload once, with tiny numbers, on sward and on some peers, and each part once. It
# measures nothing.
source "$(dirname "$0")/common.sh"

status=0
run cargo run --release -p sward-benches -- all --smoke --against tokio,hyper --out "$scratch/bench" || status=$?
# One row a workload and runtime in the report; no report, or no row of ours, means that nothing ran.
rows=$(grep -c 'sward' "$scratch/bench/report.md" 2>/dev/null || true)
# Not by `cargo bench`, which would build criterion once more; for the whole workspace, as the tests were built.
run cargo test --workspace --bench parts 2>&1 | tee "$scratch/parts" || status=$?
parts=$(grep -c '^Success' "$scratch/parts" || true)
[ "$parts" -gt 0 ] || die 'no part was run'
if [ "$status" -eq 0 ]; then close "$((${rows:-0} + parts))" 0; else close "$((${rows:-0} + parts))" 1; fi
