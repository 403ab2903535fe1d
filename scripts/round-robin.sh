#!/bin/bash
# round-robin.sh - one consumer, three topics of different length: it takes from each in turn, so that a long topic does not starve a
# short one. Then several producers for each of three topics and several consumers in turn over all of them, one of which is told to end early.
# Usage: scripts/round-robin.sh [RECORDS of the shortest; the others have two and three times as many]
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

# ---- many producers, many consumers ------------------------------------------------------------------------------------------------
each=$((20 * records))
say "Queues red, green and blue; two producers for each, which send $each records; three consumers, each in turn over all queues:"
for n in 1 2 3; do
    start "consumer-$n" consumer -w 1 --delay 2ms -f '%s\n' red green blue
done
for queue in red green blue; do
    broker -q wait "$queue" --for exists --timeout 100ms 2>/dev/null || broker -q create "$queue"
    broker -q wait "$queue" --for consumers=3 --timeout 60s
    for n in 1 2; do
        seq -f "$queue $n %.0f" "$each" >"$work/$queue-$n"
        start "$queue-$n" producer "$work/$queue-$n" "$queue"
    done
done
# One of them is told to end while there is work: it gives back what it has in hand, and says what it has done.
arrived() { [ "$(cat "$work"/consumer-*.out | wc -l)" -ge "$1" ]; }
wait_until "a third has arrived" arrived $((2 * each))
kill -TERM "${pids[consumer-1]}"
status=0
wait "${pids[consumer-1]}" || status=$?
unset "pids[consumer-1]"
[ $status = 143 ] || fail "SIGTERM ended the consumer with $status: $(cat "$work/consumer-1.err")"
for queue in red green blue; do
    finish "$queue-1" "$queue-2"
    broker -q seal "$queue" # no more to come: the others end when they have had everything
done
finish consumer-2 consumer-3
for n in 1 2 3; do
    say "    consumer $n: $(awk '{ n[$1]++ } END { printf "red %d, green %d, blue %d", n["red"], n["green"], n["blue"] }' "$work/consumer-$n.out")"
    # What one producer has sent comes in its order.
    awk '$3 <= last[$1, $2] { print $0 " after " last[$1, $2]; exit 1 } { last[$1, $2] = $3 }' "$work/consumer-$n.out" >"$work/order" ||
        fail "consumer $n: $(cat "$work/order")"
done
sort "$work"/consumer-*.out | same <(sort "$work"/{red,green,blue}-[12]) - "not each record once"
stop_broker
ok "all $((6 * records)) records arrived; the consumer took from each topic in turn, and each topic in order; $((6 * each)) records of six producers each went to one of three consumers"
