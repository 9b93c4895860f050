#!/usr/bin/env bash
# Every source file is formatted as stock rustfmt formats it.
source "$(dirname "$0")/common.sh"

status=0
run cargo fmt --all --check -- --color never || status=$?
# The same again names each file; its differences are harder to read.
cargo fmt --all --check -- --verbose --color never >"$scratch/fmt" 2>&1 || true
files=$(grep -c '^Formatting ' "$scratch/fmt" || true)
bad=$(sed -nE 's/^Diff in ([^:]*).*/\1/p' "$scratch/fmt" | sort -u | wc -l)
[ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
close $((files > bad ? files - bad : 0)) "$bad"
