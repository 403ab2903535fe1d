#!/bin/bash
# e2e_data.sh - the samples under data/ are what their generator writes, byte for byte, and big-csv.sh goes on from them. (data/bench is drawn by make bench-curves.)
set -eu
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

data/generate.sh "$out"
diff -r --brief --exclude='README*' --exclude=generate.sh --exclude=bench data "$out"
[ "$(du -sk data | cut -f1)" -lt 4096 ] || { echo "data/ is larger than 4 MiB"; exit 1; }

scripts/big-csv.sh 12000 | cmp - data/orders.csv
# Past the sample's end the rows repeat with new ids: no two are equal. Only lines that begin a row carry an id.
scripts/big-csv.sh 30000 >"$out/big.csv"
[ "$(grep -cE '^[0-9]+,user-' "$out/big.csv")" = 30000 ]
[ -z "$(grep -E '^[0-9]+,user-' "$out/big.csv" | sort | uniq -d)" ]
scripts/big-csv.sh 2 500 | sed -n 2p | grep -q '^500,user-'
