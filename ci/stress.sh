#!/usr/bin/env bash
# A seeded storm of everything at once (tests/src/bin/stress): what goes wrong in it is named with the seed and the round, and
# with the command that makes the same choices again.
#
#   ci/stress.sh [SECONDS]   so long in all (600; in CI 60), over both kinds of homes, on all cores and on one
#   STRESS_SEED=7            with this seed, and not one of its own for each part
#   STRESS_PROFILE=debug     not optimised
#
# The unit that is counted is the round.
source "$(dirname "$0")/common.sh"

seconds=${1:-$([ "${CI:-}" = true ] && echo 60 || echo 600)}
[[ $seconds =~ ^[0-9]+$ ]] && [ "$seconds" -ge 4 ] || die "SECONDS must be a number, 4 or more, but is '$seconds'"
profile=${STRESS_PROFILE:-release}
seed=()
[ -z "${STRESS_SEED:-}" ] || seed=(--seed "$STRESS_SEED")
ci=$PWD/ci
passed=0 failed=0

flags=()
[ "$profile" = debug ] || flags=(--profile "$profile")
run cargo build -p sward-tests --bin stress "${flags[@]}"
program=$target_dir/$profile/stress

# One kind of homes, on these cores, for so many seconds.
part() {
    local homes=$1 cores=$2 seconds=$3 log=$scratch/run status=0 good=0 bad=0
    # The program has a watchdog of its own, which knows more; this one is for when that hangs, too.
    local watched=("$ci/watched.py" $((seconds + 240)) "$log" taskset -c "$cores" "$program")
    run "${watched[@]}" --homes "$homes" --seconds "$seconds" "${seed[@]}" || status=$?
    read -r good bad < <(awk '/^[0-9]+ rounds passed, [0-9]+ failed$/ { good = $1; bad = $4 } END { print good + 0, bad + 0 }' "$log")
    # One that was killed has not counted.
    if [ "$bad" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$good" -eq 0 ]; }; then bad=1; fi
    if [ "$bad" -ne 0 ]; then
        printf -- '--- exit status %d\n' "$status"
        grep -v '^round ' "$log" || true
        printf -- '---\n'
    fi
    printf 'homes %-7s cores %-4s %s, %d rounds passed, %d failed\n' "$homes" "$cores" "$(head -n 1 "$log")" "$good" "$bad"
    passed=$((passed + good)) failed=$((failed + bad))
}

cores=0
[ "$(nproc)" -lt 2 ] || cores=0,1
for homes in moving fixed; do
    part "$homes" "$cores" $((seconds / 4))
    part "$homes" 0 $((seconds / 4))
done
close "$passed" "$failed"
