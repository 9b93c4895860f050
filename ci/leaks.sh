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

tests=()
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
    # Errors other than leaks are not asked for: a change of stacks confuses it about what is defined or accessible.
    checker=(env SWARD_TEST_RUNTIMES=40 SWARD_TEST_LIMIT=300 valgrind --quiet --trace-children=yes --undef-value-errors=no
        --suppressions="$PWD/ci/valgrind.supp" --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
        --error-exitcode=23)
    tests=(fixed)
    ;;
*) die "LEAKS_BY=$by is neither lsan nor valgrind" ;;
esac
read -r _ program <"$scratch/programs"

# With a leak in each runtime every test must fail, and by what the checker says.
planted=0
(cd tests && run env SWARD_TEST_PLANTED_LEAK=1 "${checker[@]}" "$program" "${tests[@]}" >"$scratch/planted" 2>&1) || planted=$?
read -r good bad < <(results "$scratch/planted")
if [ "$planted" -eq 0 ] || [ "$good" -gt 0 ] || [ "$bad" -eq 0 ] || ! grep -Eq 'LeakSanitizer: detected|definitely lost' "$scratch/planted"; then
    cat "$scratch/planted"
    die 'the planted leak was not found'
fi
echo "the planted leak was found by each of $bad tests"

cd tests
tests "${checker[@]}" "$program" "${tests[@]}"
