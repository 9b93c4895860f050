# What the scripts of this directory share: where they run, how they print what they run, how they count tests.
# Sourced, not run. Every script prints each command before it runs it, ends with a line `N passed, N failed`, and fails
# when it ran nothing: a check that has silently stopped checking is worse than none.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
# shellcheck disable=SC2034 # read by the scripts that source this
target_dir=${CARGO_TARGET_DIR:-$PWD/target}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Prints a command, then runs it.
run() {
    printf '+ %s\n' "$*"
    "$@"
}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# The closing line. Where $CI_TALLY names a file, the line is left there too.
close() {
    printf '%s passed, %s failed\n' "$1" "$2" | tee ${CI_TALLY:+"$CI_TALLY"}
    [ "$2" -eq 0 ] || exit 1
    [ "$1" -gt 0 ] || die 'nothing was run'
}

# "passed failed" of the libtest output in the given files.
results() {
    awk '/^test result: / { passed += $4; failed += $6 } END { print passed + 0, failed + 0 }' "$@"
}

# Runs a command that runs tests, counts them, and closes.
tests() {
    local status=0 passed failed
    run "$@" 2>&1 | tee "$scratch/tests" || status=$?
    read -r passed failed < <(results "$scratch/tests")
    # A failure to build, or a test process that died, is a failure that no result line counts.
    [ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
    close "$passed" "$failed"
}

# From here on programs are optimised as for a release, but not at link time, which would take ten seconds for each of many test
# programs. ci/fat.sh tests with more of that than a release has, and what is measured and stressed is built as users build it.
without_lto() {
    export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
}

# Builds the tests that the cargo arguments select; leaves a line `name path` for each test program in the file named
# first. The unit tests of a library are named `lib_` and its name.
test_programs() {
    local list=$1
    shift
    printf "+ cargo test --no-run %s\n" "$*"
    cargo test --no-run --message-format=json-render-diagnostics "$@" >"$scratch/messages"
    python3 - "$scratch/messages" >"$list" <<'PYTHON'
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    if line.startswith("{"):
        message = json.loads(line)
        if message.get("executable") and message["profile"]["test"]:
            target = message["target"]
            kind = {"test": "", "lib": "lib_"}.get(target["kind"][0])
            if kind is not None:
                print(kind + target["name"], message["executable"])
PYTHON
    [ -s "$list" ] || die "no test program was built by: cargo test $*"
    sort -o "$list" "$list"
}
