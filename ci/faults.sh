#!/usr/bin/env bash
# The tests that have the system refuse things (tests/tests/faults_*.rs), in a build that asks them at each of its doors
# (runtime/src/base/fault.rs). FAULTS_LOOPS runs of each program (1), debug and release.
source "$(dirname "$0")/common.sh"

export CARGO_TARGET_DIR="$target_dir/faults"
export RUSTFLAGS="${RUSTFLAGS:-} --cfg sward_faults -D warnings"
