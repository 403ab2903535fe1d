#!/bin/bash
# run.sh - `make storm`: the storm of kills for longer than `make test` does it, first through the library, then with the real programs.
# Usage: tests/storm/run.sh [SECONDS]     [60]; in rounds of a minute at most, each with a seed of its own, which it prints
# MILLRACE_BIN: where the programs and tests are, bin/ if not set
set -u
cd "$(dirname "$0")/../.." || exit 1
left=${1:-60}
export LIMIT=400
while [ "$left" -gt 0 ]; do
    round=$((left < 60 ? left : 60))
    half=$(((round + 1) / 2))
    STORM_SECONDS=$half STORM_SEED=$((RANDOM * 32768 + RANDOM)) "${MILLRACE_BIN:-bin}/tests/proc_storm" || exit 1
    STORM_BLOWS=$((half * 12)) MILLRACE_BIN=${MILLRACE_BIN:-bin} tests/run.sh e2e_kill || exit 1 # about 12 a second
    left=$((left - round))
done
