#!/usr/bin/env bash
# The concurrency tests as users run the runtime: optimised.
source "$(dirname "$0")/common.sh"

# The tests of the examples look for them where this puts them.
run cargo build --release -p sward-examples --examples
tests cargo test --release -p sward-tests
