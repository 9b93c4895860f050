#!/usr/bin/env bash
# The documentation builds without a warning. (The examples in it are run by `cargo test`.)
source "$(dirname "$0")/common.sh"

export RUSTDOCFLAGS="${RUSTDOCFLAGS:-} -D warnings"
run cargo doc --workspace --no-deps
[ -s "$target_dir/doc/sward/index.html" ] || die 'no page for the crate sward was made'
close "$(find "$target_dir/doc/sward" -name '*.html' | wc -l)" 0
