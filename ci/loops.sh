#!/usr/bin/env bash
# Every concurrency test again and again, debug and release, on two cores and on one: a race shows in some runs only.
#
#   ci/loops.sh [N]          N runs of each (200; in CI 2)
#   LOOPS_ONLY='sync_*'      only the test programs that match
#   LOOPS_PROFILES=release   only this profile
#   SWARD_TEST_CASES=1       each test takes only so many of its cases in each run, at random (number of workers, kind of
#                            home): 200 runs of all programs take some two hours then instead of fifteen
#   LOOPS_LIMIT=300          seconds a run may take before it is dumped and killed (ci/watched.py)
#
# The runtime's own unit tests are among them, as `lib_sward`. The programs `examples_*` and `macros_ui` are left out, and
# the unit tests of the harness: what they check does not depend on the schedule. So are `stress_smoke`, since ci/stress.sh runs for
# long what it runs shortly, and `faults_*`, which ci/faults.sh loops; and `fork_commands`, for it starts 8,000
# processes, and `sanitizer_*`, whose programs have tests in builds of ci/sanitizers.sh alone.
source "$(dirname "$0")/common.sh"

count=${1:-$([ "${CI:-}" = true ] && echo 2 || echo 200)}
# In CI each run takes some of the cases only: all of them have just been run by other steps.
[ "${CI:-}" != true ] || export SWARD_TEST_CASES=${SWARD_TEST_CASES:-4}
limit=${LOOPS_LIMIT:-300}
[ "$count" -gt 0 ] || die 'the number of runs must be at least 1'
ci=$PWD/ci
passed=0 failed=0 lost=()

# One program of the package in `directory`, one set of cores: `count` runs, up to three failures.
loop() {
    local label=$1 program=$2 directory=$3 cores=$4 log=$scratch/run good=0 bad=0 tests=0 status began=$SECONDS ran
    while [ $((good + bad)) -lt "$count" ] && [ "$bad" -lt 3 ]; do
        status=0
        # As cargo runs them: in the package's directory.
        (cd "$directory" && "$ci/watched.py" "$limit" "$log" taskset -c "$cores" "$program") || status=$?
        read -r ran _ < <(results "$log")
        if [ "$status" -eq 0 ] && [ "$ran" -gt 0 ]; then
            good=$((good + 1)) tests=$((tests + ran))
        else
            bad=$((bad + 1))
            printf -- '--- %s, cores %s, run %d: exit status %d, %d tests passed\n' "$label" "$cores" $((good + bad)) "$status" "$ran"
            cat "$log"
            printf -- '---\n'
        fi
    done
    printf '%-40s cores %-4s %d of %d runs passed, %d tests, %d s\n' "$label" "$cores" "$good" $((good + bad)) "$tests" $((SECONDS - began))
    [ "$bad" -eq 0 ] || lost+=("$label, cores $cores: $bad failed")
    passed=$((passed + good)) failed=$((failed + bad))
}

without_lto
for profile in ${LOOPS_PROFILES:-debug release}; do
    flags=()
    [ "$profile" = debug ] || flags=(--profile "$profile")
    test_programs "$scratch/programs" -p sward -p sward-tests --lib --tests "${flags[@]}"
    while read -r name program <&3; do
        case $name in lib_sward_tests | examples_* | macros_ui* | stress_* | faults_* | sanitizer_* | fork_commands) continue ;; esac
        # shellcheck disable=SC2053 # a pattern on purpose
        [[ $name == ${LOOPS_ONLY:-*} ]] || continue
        directory=tests
        [ "$name" != lib_sward ] || directory=runtime
        [ "$(nproc)" -lt 2 ] || loop "$profile $name" "$program" "$directory" 0,1
        loop "$profile $name" "$program" "$directory" 0
    done 3<"$scratch/programs"
done
[ "$failed" -eq 0 ] || printf '%s\n' "${lost[@]}"
close "$passed" "$failed"
