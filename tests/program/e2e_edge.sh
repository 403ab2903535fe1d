#!/bin/bash
# e2e_edge.sh - every sample and edge case of data/ through the programs: what was sent comes back byte for byte; a malformed row is
# refused with its line, or skipped with --bad-rows skip; and every record is the row that NAME.expected describes.
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"

start_broker
topic() { printf 'edge-%s' "$(basename "$1" .csv)"; }

for file in "$top"/data/*.csv "$top"/data/edge/*.csv; do
    name=$(basename "$file") topic=$(topic "$file") expected=${file%.csv}.expected
    status=0
    if [ -e "$expected" ] && grep -q '^error' "$expected"; then
        # Stops at the malformed row and says where it is.
        line=$(sed -n 's/^error.*\tline \([0-9]*\)\t.*/\1/p' "$expected" | head -n 1)
        producer "$file" "$topic.stop" 2>"$work/err" || status=$?
        [ $status = 1 ] || wrong "$name" "exit status $status instead of 1"
        rows=$(sed '/^error/,$d' "$expected" | grep -vc '^bom')
        [ $((rows - 1)) = "$(consumer -q -e -J "$topic.stop" | wc -l)" ] || wrong "$name" "not the rows before the error arrived"
        grep -q "$name: line $line," "$work/err" || wrong "$name" "no line $line in: $(cat "$work/err")"
        # Goes on after it if told so.
        status=0
        producer --bad-rows skip --seal "$file" "$topic" 2>"$work/err" || status=$?
        [ $status = 7 ] || wrong "$name" "--bad-rows skip: exit status $status instead of 7"
        rows=$(grep -vc '^bom\|^error' "$expected")
        consumer -q -e -J "$topic" >"$work/json" || wrong "$name" "consumer: exit status $?"
        [ $((rows - 1)) = "$(wc -l <"$work/json")" ] || wrong "$name" "$(wc -l <"$work/json") records instead of $((rows - 1))"
        continue
    fi
    producer -q --seal "$file" "$topic" || wrong "$name" "producer: exit status $?"
    consumer -q -e -g csv -f csv "$topic" >"$work/back" || wrong "$name" "consumer: exit status $?"
    cmp -s "$file" "$work/back" || wrong "$name" "came back different: $(cmp "$file" "$work/back" 2>&1)"
    consumer -q -e -g json -J "$topic" >"$work/json" || wrong "$name" "consumer -J: exit status $?"
    [ -e "$expected" ] || continue
    rows=$(grep -vc '^bom' "$expected" || true)
    [ "$rows" = 0 ] || rows=$((rows - 1))
    [ "$rows" = "$(wc -l <"$work/json")" ] || wrong "$name" "$(wc -l <"$work/json") records instead of $rows"
done
stop_broker
all_well "all samples and edge cases came back byte for byte"
