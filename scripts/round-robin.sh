#!/bin/bash
# round-robin.sh - one consumer, three topics of different length: it takes from each in turn, so
# that a long topic does not starve a short one. Then several producers for each of three topics,
# and several consumers in turn over all of them, one of which is told to end early.
# Usage: scripts/round-robin.sh [RECORDS of the shortest; the others have twice and 3 times as many]
. "$(dirname "$0")/lib.sh"
records=${1:-10}

begin_broker
step "Three topics, with $records, $((2 * records)) and $((3 * records)) records."
for n in 1 2 3; do
    show "seq -f 'topic-$n %.0f' $((n * records)) | producer --seal topic-$n"
    seq -f "topic-$n %.0f" $((n * records)) | producer -q --seal "topic-$n"
done
step "One consumer takes one record at a time (-w 1); its first lines:"
show "consumer -w 1 topic-1 topic-2 topic-3"
consumer -q -w 1 -f raw topic-1 topic-2 topic-3 >"$work/arrived"
head -n 7 "$work/arrived" | indent
notice "the topics take turns, though they are of different length."

[ "$(wc -l <"$work/arrived")" = $((6 * records)) ] ||
    fail "$(wc -l <"$work/arrived") records arrived instead of $((6 * records))"
# Each topic in order; and while a topic has records left, no two of another come without one of it
# in between.
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

# ---- many producers, many consumers -------------------------------------------------------------
each=$((20 * records))
step "Three queues: red, green and blue. Three consumers, each in turn over all of them."
for n in 1 2 3; do
    begin "consumer-$n" consumer -w 1 --delay 2ms -f '%s\n' red green blue
done
step "Two producers for each queue, which send $each records each."
for queue in red green blue; do
    broker -q wait "$queue" --for exists --timeout 100ms 2>/dev/null || broker -q create "$queue"
    broker -q wait "$queue" --for consumers=3 --timeout 60s
    for n in 1 2; do
        seq -f "$queue $n %.0f" "$each" >"$work/$queue-$n"
        begin "$queue-$n" producer "$work/$queue-$n" "$queue"
    done
done
# One of them is told to end while there is work: it gives back what it has in hand, and says what
# it has done.
arrived() { [ "$(cat "$work"/consumer-*.out | wc -l)" -ge "$1" ]; }
wait_until "a third has arrived" arrived $((2 * each))
step "One consumer is told to end while there is work, as Ctrl-C would tell it."
show "kill -TERM PID-OF-CONSUMER-1"
kill -TERM "${pids[consumer-1]}"
status=0
wait "${pids[consumer-1]}" || status=$?
unset "pids[consumer-1]"
[ $status = 143 ] ||
    fail "SIGTERM ended the consumer with $status: $(cat "$work/consumer-1.err")"
notice "it gives back what it has in hand, and the others take it."
step "No more will come, so the queues are sealed; the others end when they have had everything."
for queue in red green blue; do
    finish "$queue-1" "$queue-2"
    run broker -q seal "$queue"
done
finish consumer-2 consumer-3
for n in 1 2 3; do
    awk -v n="$n" '{ cnt[$1]++ } END {
        printf "    consumer %d had: ", n
        printf "red %d, green %d, blue %d\n", cnt["red"], cnt["green"], cnt["blue"]
    }' "$work/consumer-$n.out"
    # What one producer has sent comes in its order.
    awk '$3 <= last[$1, $2] { print $0 " after " last[$1, $2]; exit 1 } { last[$1, $2] = $3 }' \
        "$work/consumer-$n.out" >"$work/order" ||
        fail "consumer $n: $(cat "$work/order")"
done
notice "each consumer had some of every queue."
sort "$work"/consumer-*.out | same <(sort "$work"/{red,green,blue}-[12]) - "not each record once"
stop_broker
ok "all $((6 * records)) records arrived, from each topic in turn, each topic in order;" \
    "$((6 * each)) records of six producers each went to one of three consumers"
