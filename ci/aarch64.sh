#!/usr/bin/env bash
# The tests on aarch64, under an emulator.
#
# Needs Debian's packages (`dpkg --add-architecture arm64` first): rustc-web, libstd-rust-web-dev,
# libstd-rust-web-dev:arm64, gcc, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user-static, binutils. They are a
# compiler of their own, used for host and target alike, since a rustup toolchain without the target cannot build for
# it. Programs are linked statically: dynamic ones hang in this emulator when they start a thread. Doc tests are left
# out, for they would need a rustdoc of the same compiler.
#
#   AARCH64_ONLY='homes_*'   only the test programs that match
#   AARCH64_LIMIT=600        seconds one program may take before it is killed
source "$(dirname "$0")/common.sh"

triple=aarch64-unknown-linux-gnu
emulator=$(command -v qemu-aarch64-static) || die 'qemu-aarch64-static is not installed'
export CARGO_TARGET_DIR="$target_dir/aarch64"
export RUSTC=${AARCH64_RUSTC:-/usr/bin/rustc}
export RUSTFLAGS="-C target-feature=+crt-static"
export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=$emulator
# The wrappers of a developer's own configuration are for another compiler.
export RUSTC_WRAPPER='' RUSTC_WORKSPACE_WRAPPER=''
run "$RUSTC" --version

# A test that starts itself as a child process asks the kernel to run an aarch64 program. Where the kernel cannot be told
# how, the tests read this variable and put the emulator before the child's program themselves.
formats=/proc/sys/fs/binfmt_misc
if [ ! -e $formats/qemu-aarch64 ]; then
    [ -e $formats/register ] || mount -t binfmt_misc binfmt_misc $formats 2>/dev/null || true
    magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    { printf ':qemu-aarch64:M::%s:%s:%s:F' "$magic" "$mask" "$emulator" >$formats/register; } 2>/dev/null || true
fi
if [ -e $formats/qemu-aarch64 ]; then
    echo 'the kernel runs aarch64 programs by the emulator'
else
    export SWARD_TEST_RUNNER=$emulator
    echo "the kernel was not told to run aarch64 programs: SWARD_TEST_RUNNER=$emulator"
fi

# A process started in the emulator takes half a second, and a storm of them more than the watchdog allows elsewhere.
export SWARD_TEST_LIMIT=${SWARD_TEST_LIMIT:-240}

ci=$PWD/ci
limit=${AARCH64_LIMIT:-600}
passed=0 failed=0

# The arguments of one program. The emulator's own locks are not made ready for a `fork`: a process that is forked while
# another thread runs can wait for ever for one that this thread held. So what starts processes does so with one test at a
# time, where the others only wait, and a storm of processes among running greenlets is left out.
arguments() {
    case $1 in
    homes_system) echo --skip processes ;;
    # A debugger that is started beside running workers, for an emulator's stacks.
    stress_*) echo --test-threads=1 --skip is_dumped ;;
    fork_*) echo --test-threads=1 --skip processes ;;
    # The emulator has a thread of its own, which might wake somebody for all that can be seen.
    scheduling_deadlock) echo --test-threads=1 --skip names_who_waits ;;
    lib_* | limits_* | net_many | net_runtimes | panic_* | runtime_* | scheduling_reports | stacks_*)
        echo --test-threads=1
        ;;
    esac
}

# How many of its cases each test of a program takes, where not all: to name the functions on a stack takes ten seconds there.
cases() {
    case $1 in
    scheduling_reports) echo SWARD_TEST_CASES=2 ;;
    # Each of their cases is done by greenlets, by threads and by both.
    sync_* | channel_* | select_*) echo SWARD_TEST_CASES=4 ;;
    esac
}

try() {
    local name=$1 program=$2 directory=$3 log=$scratch/run status=0 good bad began=$SECONDS arguments
    read -ra arguments < <(arguments "$name") || true
    ! readelf --program-headers --wide "$program" | grep -q INTERP || die "$program is not a static program"
    printf '+ %s %s %s\n' "$(basename "$emulator")" "$program" "${arguments[*]}"
    # shellcheck disable=SC2046 # nothing, or one word
    (cd "$directory" && env $(cases "$name") "$ci/watched.py" "$limit" "$log" "$emulator" "$program" "${arguments[@]}") || status=$?
    read -r good bad < <(results "$log")
    [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    [ "$bad" -eq 0 ] || cat "$log"
    printf '%-40s %d passed, %d failed, %d s\n' "$name" "$good" "$bad" $((SECONDS - began))
    passed=$((passed + good)) failed=$((failed + bad))
}

# Optimised, for what the optimiser does is part of what is tested; but not as slowly as for a release.
flags=(--release --target "$triple")
for setting in lto=false codegen-units=16 debug=false; do
    flags+=(--config "profile.release.$setting")
done
test_programs "$scratch/programs" "${flags[@]}" -p sward -p sward-tests --lib --tests
while read -r name program <&3; do
    case $name in examples_* | macros_ui*) continue ;; esac
    # shellcheck disable=SC2053 # a pattern on purpose
    [[ $name == ${AARCH64_ONLY:-*} ]] || continue
    directory=tests
    [ "$name" != lib_sward ] || directory=runtime
    try "$name" "$program" "$directory"
done 3<"$scratch/programs"
close "$passed" "$failed"
