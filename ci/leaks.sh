#!/usr/bin/env bash
# Runtimes that come and go, under a leak checker: nothing that they allocate is left (tests/tests/leaks_churn.rs). LeakSanitizer
# where there is a nightly compiler that has it, which sees both kinds of home; otherwise valgrind, which cannot run
# programs that load thread pointers, and so sees fixed homes only.
#
# Neither sees the stacks of greenlets nor the chunks that cells are cut from as what they are: the test counts stacks,
# mappings, threads and descriptors itself, and the drops of everything that it gives to greenlets. That the checker would
# tell of a leak is tried first, with one that is planted.
#
#   LEAKS_BY=valgrind   that one, whatever there is
source "$(dirname "$0")/common.sh"

triple=$(rustc -vV | sed -n 's/^host: //p')
by=${LEAKS_BY:-}
if [ -z "$by" ]; then
    by=valgrind
    if sysroot=$(rustc +nightly --print sysroot 2>/dev/null) && compgen -G "$sysroot/lib/rustlib/$triple/lib/librustc*lsan*" >/dev/null; then
        by=lsan
    else
        echo 'no nightly compiler with LeakSanitizer here: valgrind, and fixed homes only'
    fi
fi

# The tests that it can run.
programs=()
case $by in
lsan)
    export CARGO_TARGET_DIR="$target_dir/leaks" RUSTFLAGS='-Zsanitizer=leak' RUSTUP_TOOLCHAIN=nightly
    run rustc --version
    test_programs "$scratch/programs" --target "$triple" -p sward-tests --test leaks_churn
    # What was allocated on a stack that is no thread's has no trace by frame pointers, and LeakSanitizer passes over what has
    # none ("may be allocated in a coroutine"): hence the unwinder. A few frames are enough to find the place.
    checker=(env LSAN_OPTIONS=exitcode=23:fast_unwind_on_malloc=0:malloc_context_size=12 SWARD_TEST_LIMIT=300)
    ;;
valgrind)
    command -v valgrind >/dev/null || die 'neither a nightly compiler nor valgrind is installed'
    run valgrind --version
    test_programs "$scratch/programs" -p sward-tests --test leaks_churn
    # It calls bytes of stacks inaccessible that are not, for it does not know whose they are. So it ends with the program's own
    # status, and only its reports of losses count.
    checker=(env SWARD_TEST_RUNTIMES=40 SWARD_TEST_LIMIT=300 valgrind --log-file="$scratch/report.%p" --trace-children=yes
        --undef-value-errors=no --leak-check=full --show-leak-kinds=definite)
    programs=(fixed)
    ;;
*) die "LEAKS_BY=$by is neither lsan nor valgrind" ;;
esac
read -r _ program <"$scratch/programs"

# What the checker has said of losses.
losses() {
    # LeakSanitizer writes none of the reports' files.
    { cat "$@" 2>/dev/null || true; } | grep -E 'LeakSanitizer: detected|definitely lost in'
}

# With a leak in each runtime it must say so, and LeakSanitizer fails every test.
(cd tests && run env SWARD_TEST_PLANTED_LEAK=1 "${checker[@]}" "$program" "${programs[@]}" >"$scratch/planted" 2>&1) || true
if ! losses "$scratch/planted" "$scratch"/report.* >"$scratch/found" || { [ "$by" = lsan ] && grep -q '^test .* ok$' "$scratch/planted"; }; then
    cat "$scratch/planted" "$scratch"/report.* || true
    die 'the planted leak was not found'
fi
echo "the planted leak was found: $(wc -l <"$scratch/found") reports"
rm -f "$scratch"/report.*

cd tests
status=0
run "${checker[@]}" "$program" "${programs[@]}" 2>&1 | tee "$scratch/tests" || status=$?
read -r good bad < <(results "$scratch/tests")
[ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
if losses "$scratch/tests" "$scratch"/report.*; then
    cat "$scratch"/report.* 2>/dev/null || true
    bad=$((bad + 1))
fi
close "$good" "$bad"
