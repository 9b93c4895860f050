#!/usr/bin/env bash
# The yardstick still works: every workload once, with tiny numbers, on sward and on one peer. It measures nothing.
source "$(dirname "$0")/common.sh"

status=0
run cargo run --release -p sward-benches -- all --smoke --against tokio --out "$scratch/bench" || status=$?
# One row a workload and runtime in the report; no report, or no row of ours, means that nothing ran.
rows=$(grep -c 'sward' "$scratch/bench/report.md" 2>/dev/null || true)
if [ "$status" -eq 0 ]; then close "${rows:-0}" 0; else close "${rows:-0}" 1; fi
