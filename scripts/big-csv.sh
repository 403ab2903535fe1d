#!/bin/sh
# big-csv.sh - writes N rows like those of data/orders.csv, header first, to stdout: for tests and measurements. 1,000,000 rows are about 90 MB.
# Usage: scripts/big-csv.sh N [FIRST_ID]     The ids run from FIRST_ID [1], so that no two rows are equal, nor those of two runs
set -eu
rows=${1:?usage: big-csv.sh N [FIRST_ID]}
first=${2:-1}
# A row of orders.csv may span lines: it is complete when its quotes are even. Only the id at its start changes.
LC_ALL=C exec awk -v rows="$rows" -v first="$first" '
NR == 1 { print; next }
{
    row = row == "" ? $0 : row "\n" $0
    if (gsub(/"/, "\"", row) % 2)
        next
    rest[n++] = substr(row, index(row, ","))
    row = ""
}
END {
    for (i = 0; i < rows; i++)
        printf "%.0f%s\n", first + i, rest[i % n]
}' "$(dirname "$0")/../data/orders.csv"
