#!/usr/bin/env bash
# No warning from the compiler or clippy in any target of the workspace, nor in the library with its feature.
source "$(dirname "$0")/common.sh"

run cargo clippy --workspace --all-targets -- -D warnings
run cargo clippy -p sward --all-targets --features boost-context -- -D warnings
# The last run finds all done and only lists it.
cargo clippy --workspace --all-targets --message-format=json -- -D warnings 2>/dev/null >"$scratch/targets"
close "$(grep '"reason":"compiler-artifact"' "$scratch/targets" | grep -c '"package_id":"path+file:')" 0
