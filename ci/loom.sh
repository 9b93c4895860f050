#!/usr/bin/env bash
# The models of the protocol words (tests named *loom*), run by loom through every interleaving it is allowed.
# LOOM_MAX_PREEMPTIONS bounds them, 3 unless set; set to nothing, there is no bound.
source "$(dirname "$0")/common.sh"

export CARGO_TARGET_DIR="$target_dir/loom"
export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom"
export LOOM_MAX_PREEMPTIONS=${LOOM_MAX_PREEMPTIONS-3}
[ -n "$LOOM_MAX_PREEMPTIONS" ] || unset LOOM_MAX_PREEMPTIONS
tests cargo test -p sward --lib --release -- loom
