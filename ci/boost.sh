#!/usr/bin/env bash
# The tests that switch most, and those that look at stacks, with the other way of switching stacks: the crate `context`. Its
# unit tests run on both ways anyhow. Where `boost` is the default this repeats what ci/release.sh has done.
source "$(dirname "$0")/common.sh"

without_lto
# The second is for processes that a test starts for itself: they begin without the settings of sward.
export SWARD_CONTEXT=boost SWARD_TEST_CONTEXT=boost
tests cargo test --release -p sward-tests --test 'homes_*' --test 'panic_*' --test 'park_*' --test 'spawn_*' \
    --test 'stacks_*' --test 'scheduling_*' --test fork_children
