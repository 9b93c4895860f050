#!/usr/bin/env bash
# The test command of the README: unit tests, integration tests, the documentation's examples; debug profile.
source "$(dirname "$0")/common.sh"

tests cargo test --workspace
