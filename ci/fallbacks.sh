#!/usr/bin/env bash
# The tests in a build that takes the system for an old one (`--cfg sward_old_system`): guards by `mprotect`, waits to the
# millisecond, and no thread pointer that may be set, so fixed homes alone. Three cases each (SWARD_TEST_CASES).
source "$(dirname "$0")/common.sh"

export CARGO_TARGET_DIR="$target_dir/fallbacks"
export RUSTFLAGS="${RUSTFLAGS:-} --cfg sward_old_system -D warnings"
export SWARD_TEST_CASES=${SWARD_TEST_CASES:-3}

# What the others cover: the examples, the macros' messages, and the storm, which draws homes that there are not here.
programs=()
while read -r file; do
    case $file in examples_* | macros_ui | stress_smoke) continue ;; esac
    programs+=(--test "$file")
done < <(cd tests/tests && ls *.rs | sed 's/\.rs$//')
tests cargo test -p sward -p sward-tests --lib "${programs[@]}"
