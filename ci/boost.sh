#!/usr/bin/env bash
# The tests that switch most, with the other way of switching stacks: the crate `context`. Its unit tests run on both ways
# anyhow. Where `boost` is the default this repeats what ci/release.sh has done. (Processes that a test starts for itself
# have the default way: they begin without the settings of sward.)
source "$(dirname "$0")/common.sh"

export SWARD_CONTEXT=boost
tests cargo test --release -p sward-tests --test 'homes_*' --test 'panic_*' --test 'park_*' --test 'spawn_*'
