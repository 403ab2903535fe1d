#!/bin/bash
# bounded-buffer.sh - the classic: a fast producer, a slow consumer, and a buffer of 5. The producer is made to wait; never do more than
# 5 records wait; nothing is lost. Usage: scripts/bounded-buffer.sh [RECORDS] [DELAY of the consumer]
. "$(dirname "$0")/lib.sh"
records=${1:-60} delay=${2:-50ms}

start_broker
broker -q create buffer --max-records 5
say "A buffer of 5 records. The consumer takes $delay for each of $records; the producer would need no time at all."
start consumer consumer -f raw -w 1 --delay "$delay" --stats "$work/consumer.json" buffer
broker -q wait buffer --for consumers=1 --timeout 20s
seq "$records" >"$work/sent"
start producer producer -i lines --seal --stats "$work/producer.json" "$work/sent" buffer

most=0
while running producer; do
    waiting=$(topic_lag buffer)
    [ "$waiting" -le "$most" ] || most=$waiting
    say "    waiting in the buffer: $(printf '%*s' "$waiting" '' | tr ' ' '#')"
    sleep 0.2
done
finish producer
finish consumer
same "$work/sent" "$work/consumer.out" "what arrived is not what was sent"
blocked=$(number "$work/producer.json" blocked_seconds)
seconds=$(number "$work/producer.json" seconds)
sed 's/^/    /' "$work/producer.err"
[ "$most" -le 5 ] || fail "$most records waited in a buffer of 5"
[ "$most" -ge 4 ] || fail "the buffer never filled: at most $most waited"
holds "$blocked > 0.5 * $seconds" || fail "the producer waited only $blocked s of $seconds s"
stop_broker
ok "the producer waited $blocked of its $seconds s; at most $most records were in the buffer of 5; all $records arrived in order"
