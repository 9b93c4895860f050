#!/usr/bin/env bash
# The tests under AddressSanitizer and ThreadSanitizer, with sward telling them of its switches (the features `asan` and
# `tsan`), and tests that they see greenlets: what is wrong in one is reported.
#
#   ci/sanitizers.sh [address|thread]...   both, if none is named
#   SANITIZERS_ONLY='park_*'               only the test programs that match
#   SANITIZERS_TOOLCHAIN=nightly-...       another toolchain
#   SWARD_TEST_WORKERS=2                   other numbers of workers than 1, 2 and 4
#
# In CI those of `core`, for two workers; by hand all but those that `left_out` names.
#
# Needed: a nightly toolchain; and for ThreadSanitizer the component rust-src, for in a standard library that is not
# instrumented it does not see what locks, `Once` and `Arc` order, and reports races that are none. Where either is missing,
# the script says what it has skipped.
source "$(dirname "$0")/common.sh"

toolchain=${SANITIZERS_TOOLCHAIN:-nightly}
target=x86_64-unknown-linux-gnu
core='sanitizer_* park_* spawn_values join_* panic_join net_tcp homes_local stacks_reuse runtime_lifecycle'
export SWARD_TEST_WORKERS=${SWARD_TEST_WORKERS:-$([ "${CI:-}" = true ] && echo 2 || echo 1,2,4)}
# A hundred times the memory accesses, on machines that have other things to do.
export SWARD_TEST_LIMIT=${SWARD_TEST_LIMIT:-600}
passed=0 failed=0 skipped=0

# The test programs that are left out. The ordinary runs cover each.
left_out() {
    case $1 in
    # They run no greenlets, or start other programs that do.
    examples_* | macros_ui) ;;
    # glibc has every thread of the process run a handler, those of homes among them, in whose identity a greenlet may run
    # at that moment. Code that is instrumented uses what the sanitizer keeps for an identity, and may not run there.
    homes_ids) ;;
    # It takes address space away, which the shadow memory needs, counts mappings, overflows stacks, and measures them by the
    # addresses of locals, which ASan puts elsewhere.
    stacks_limits) ;;
    *) return 1 ;;
    esac
}

# Tests of other programs that are left out (SANITIZER PROGRAM), as arguments for the program.
skips() {
    case $1 in
    # It measures a stack by the addresses of locals.
    asan\ runtime_environment) echo --skip stack_sizes ;;
    # Values of 64 KiB pass by value through several frames, which are larger with a sanitizer than a stack has room for.
    tsan\ spawn_values) echo --skip values_of_great_size_and_alignment ;;
    # It is about speed, and within a few milliseconds.
    tsan\ time_sleep) echo --skip sleepers_do_not_keep_a_worker ;;
    esac
}

skip() {
    printf 'skipped: %s\n' "$*"
    skipped=$((skipped + 1))
}

# sanitize SANITIZER FEATURE CARGO-FLAGS...: builds the tests for it and runs each program.
sanitize() {
    local sanitizer=$1 feature=$2 began=$SECONDS name program status ran good bad
    shift 2
    export CARGO_TARGET_DIR="$target_dir/$feature" RUSTUP_TOOLCHAIN=$toolchain RUSTFLAGS="-Zsanitizer=$sanitizer"
    # By them ASan finds who allocated, quickly.
    [ "$sanitizer" != address ] || RUSTFLAGS="$RUSTFLAGS -Cforce-frame-pointers=yes"
    # With a target named, build scripts and macros are built without the sanitizer.
    local selection=()
    for name in $wanted; do selection+=(--test "$name"); done
    test_programs "$scratch/programs" "$@" --target "$target" -p sward-tests --features "$feature" "${selection[@]}"
    printf 'built in %d s\n' $((SECONDS - began))
    while read -r name program <&3; do
        ! left_out "$name" || continue
        # shellcheck disable=SC2053 # a pattern on purpose
        [[ $name == ${SANITIZERS_ONLY:-*} ]] || continue
        began=$SECONDS status=0
        # As cargo runs them: in the package's directory.
        # shellcheck disable=SC2046 # words on purpose
        (cd tests && "$ci/watched.py" 1200 "$scratch/run" "$program" $(skips "$feature $name")) || status=$?
        read -r ran bad < <(results "$scratch/run")
        # What the sanitizer has found shows in the exit status.
        if [ "$status" -ne 0 ]; then
            [ "$bad" -gt 0 ] || bad=1
            printf -- '--- %s %s: exit status %d\n' "$feature" "$name" "$status"
            head -c 20000 "$scratch/run"
            printf -- '\n---\n'
        fi
        printf '%s %-24s %3d passed, %d failed, %d s\n' "$feature" "$name" "$ran" "$bad" $((SECONDS - began))
        passed=$((passed + ran)) failed=$((failed + bad))
    done 3<"$scratch/programs"
}

ci=$PWD/ci
wanted=$([ "${CI:-}" = true ] && echo "$core" || echo '*')
set -f

if [ "$(uname -sm)" != 'Linux x86_64' ] || ! version=$(rustc "+$toolchain" --version 2>/dev/null); then
    skip "both: no toolchain $toolchain for $target here"
    set --
elif [ $# -eq 0 ]; then
    set -- address thread
fi
for sanitizer; do
    printf '%s: %s\n' "$sanitizer" "$version"
    case $sanitizer in
    address)
        # Leaks are not looked for: what only greenlets' stacks refer to would be taken for lost, and what a shutdown gives up is.
        export ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}"
        sanitize address asan
        ;;
    thread)
        sources=$(rustc "+$toolchain" --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock
        if [ ! -e "$sources" ] && [ "${CI:-}" = true ]; then
            run timeout 120 rustup component add rust-src --toolchain "$toolchain" || echo 'it cannot be had'
        fi
        if [ -e "$sources" ]; then
            export TSAN_OPTIONS="suppressions=$ci/tsan.supp:${TSAN_OPTIONS:-}"
            sanitize thread tsan -Zbuild-std
        else
            skip "thread: no rust-src (rustup component add rust-src --toolchain $toolchain)"
        fi
        ;;
    *) die "no sanitizer $sanitizer" ;;
    esac
done
[ "$((passed + failed))" -gt 0 ] || [ "$skipped" -eq 0 ] || {
    printf '0 passed, 0 failed, %d skipped\n' "$skipped" | tee ${CI_TALLY:+"$CI_TALLY"}
    exit 0
}
close "$passed" "$failed"
