#!/usr/bin/env bash
# The soundness tests with the whole program in one module, where the optimiser has the best chance to keep the address
# of a thread-local across a suspension.
source "$(dirname "$0")/common.sh"

tests cargo test -p sward-tests --profile fat --test 'homes_*'
