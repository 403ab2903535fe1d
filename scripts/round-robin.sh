#!/bin/bash
# round-robin.sh - one consumer, three topics of different length: it takes from each in turn, so that a long topic does not starve a
# short one. Usage: scripts/round-robin.sh [RECORDS of the shortest; the others have two and three times as many]
. "$(dirname "$0")/lib.sh"
records=${1:-10}

start_broker
for n in 1 2 3; do
    seq -f "topic-$n %.0f" $((n * records)) | producer -q --seal "topic-$n"
done
say "topic-1, topic-2, topic-3 hold $records, $((2 * records)) and $((3 * records)) records. One consumer, one record at a time:"
say "    \$ consumer -w 1 topic-1 topic-2 topic-3"
consumer -q -w 1 -f raw topic-1 topic-2 topic-3 >"$work/arrived"
head -n 7 "$work/arrived" | sed 's/^/    /'

[ "$(wc -l <"$work/arrived")" = $((6 * records)) ] || fail "$(wc -l <"$work/arrived") records arrived instead of $((6 * records))"
# Each topic in order; and while a topic has records left, no two of another come without one of it in between.
awk -v records="$records" '
{
    if ($2 != ++seen[$1]) { print "line " NR ": " $0 " after " seen[$1] - 1; exit 1 }
    split($1, part, "-"); n = part[2]
    for (other = 1; other <= 3; other++)
        if (other != n && count[other] < other * records && ++since[n, other] > 1) {
            print "line " NR ": two of topic-" n " in a row while topic-" other " had some"; exit 1
        }
    count[n]++
    for (other = 1; other <= 3; other++)
        since[other, n] = 0
}' "$work/arrived" >"$work/order" || fail "$(cat "$work/order")"
stop_broker
ok "all $((6 * records)) records arrived; the consumer took from each topic in turn, and each topic in order"
