#!/usr/bin/env bash
# The tests that have the system refuse things (tests/tests/faults_*.rs), in a build that asks them at each of its doors
# (runtime/src/base/fault.rs). FAULTS_LOOPS runs of each program (1), debug and release; each test takes two of its cases at
# random (SWARD_TEST_CASES).
source "$(dirname "$0")/common.sh"

export CARGO_TARGET_DIR="$target_dir/faults"
export SWARD_TEST_CASES=${SWARD_TEST_CASES:-2}
export RUSTFLAGS="${RUSTFLAGS:-} --cfg sward_faults -D warnings"

without_lto
passed=0 failed=0
# One program: so many runs.
loop() {
    local label=$1 program=$2 log=$scratch/run good=0 ran=0 status began=$SECONDS count=0
    while [ "$count" -lt "${FAULTS_LOOPS:-1}" ]; do
        count=$((count + 1)) status=0
        (cd tests && "$OLDPWD/ci/watched.py" 900 "$log" "$program") || status=$?
        read -r good _ < <(results "$log")
        if [ "$status" -eq 0 ] && [ "$good" -gt 0 ]; then
            ran=$((ran + good))
        else
            failed=$((failed + 1))
            printf -- '--- %s, run %d: exit status %d\n' "$label" "$count" "$status"
            cat "$log"
            printf -- '---\n'
        fi
    done
    printf '%-40s %d runs, %d tests, %d s\n' "$label" "$count" "$ran" $((SECONDS - began))
    passed=$((passed + ran))
}

for profile in dev release; do
    test_programs "$scratch/programs" -p sward-tests --profile "$profile" --test 'faults_*'
    while read -r name program <&3; do
        loop "$profile $name" "$program"
    done 3<"$scratch/programs"
done
close "$passed" "$failed"
