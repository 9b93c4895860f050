#!/usr/bin/env bash
# The concurrency tests, optimised. The runtime's own unit tests are among them.
source "$(dirname "$0")/common.sh"

# The tests of the examples look for them where this puts them.
run cargo build --release -p sward-examples --examples
without_lto
tests cargo test --release -p sward -p sward-tests --lib --tests
