#!/bin/bash
# report.sh - one run of all that measures, and what it says. Every result is a line of JSON, as bench.h has it.
# Usage: tests/bench/report.sh run PROGRAM...   runs them one after the other, keeps their lines in results.json, prints the tables and the bars
#        tests/bench/report.sh table            prints them again
#        tests/bench/report.sh page             copies results.json into data/bench/, puts the tables into
#                                               its README.md, between two marks, and draws the curves
#        tests/bench/report.sh curves           draws them again from data/bench/results.json
#   MILLRACE_BIN   where the programs are [bin]: results.json lies in $MILLRACE_BIN/bench/
# Exit: 0 also when a bar is missed · 1 a program failed · 2 usage
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1
export MILLRACE_BIN="${MILLRACE_BIN:-bin}"
results=$MILLRACE_BIN/bench/results.json
here=tests/bench
kept=data/bench

# The machine, as one JSON object. Its texts have no quotes.
machine() {
    printf '{"cpu":"%s","cores":%d,"memory_mib":%d,"kernel":"%s","libc":"%s","compiler":"%s","date":"%s","commit":"%s"}' \
        "$(sed -n 's/^\(model name\|Model\|Hardware\)[^:]*: *//p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
        "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)" "$(uname -r)" "$(getconf GNU_LIBC_VERSION 2>/dev/null)" \
        "$(${CC:-gcc} --version | head -n 1 | sed 's/ ([^)]*)//')" "$(date +%F)" "$(git rev-parse --short HEAD 2>/dev/null)"
}

# What a program that was interrupted or failed has left in /dev/shm: all buses here are named bench-...PID.
leftovers() {
    local file
    for file in /dev/shm/millrace."$(id -u)".bench-*; do
        [[ $file =~ bench-[a-z-]*([0-9]+) ]] && [ ! -d "/proc/${BASH_REMATCH[1]}" ] && rm -f "$file"
    done
}

# A program that fails takes nothing from the others: its lines until then count, and the exit status tells.
run() {
    local program start status=0 lines=$MILLRACE_BIN/bench/lines
    mkdir -p "$MILLRACE_BIN/bench" || exit 1
    : >"$lines"
    trap leftovers EXIT
    trap 'exit 130' INT TERM
    for program; do
        start=$SECONDS
        "$program" >>"$lines" || { status=1; echo "report.sh: $program failed" >&2; }
        printf '%-28s %3d s\n' "${program##*/}" $((SECONDS - start)) >&2
    done
    {
        printf '{\n"machine":%s,\n"results":[\n' "$(machine)"
        sed '$!s/$/,/' "$lines"
        printf ']\n}\n'
    } >"$results"
    rm "$lines"
    table text
    return $status
}

table() {
    [ -e "$results" ] || { echo "report.sh: no $results: make bench writes it" >&2; exit 1; }
    awk -v form="$1" -f $here/report.awk -f $here/bars.awk "$results"
}

curves() {
    awk -f $here/curves.awk $kept/results.json >$kept/curves.gp || return
    gnuplot -e "to = '$kept'" $kept/curves.gp $here/curves.gp
    local status=$?
    rm $kept/curves.gp
    return $status
}

page() {
    local block=$MILLRACE_BIN/bench/page.md page=$kept/README.md
    table markdown >"$block" || exit 1
    awk -v block="$block" '
        /^<!-- bench: end -->$/ { inside = 0 }
        !inside { print }
        /^<!-- bench: begin/ {
            inside = marks = 1
            print ""
            while ((getline line <block) > 0) print line
            print ""
        }
        END { exit !marks }' $page >"$block.new" ||
        { echo "report.sh: $page has no mark to put it at" >&2; exit 1; }
    cat "$block.new" >$page
    rm "$block" "$block.new"
    cp "$results" $kept/results.json
    curves
}

case ${1-} in
run) shift; run "$@" ;;
table) table text ;;
page) page ;;
curves) curves ;;
*) sed -n '3,7s/^# //p' "$0" >&2; exit 2 ;;
esac
