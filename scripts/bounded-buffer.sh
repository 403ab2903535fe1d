#!/bin/bash
# bounded-buffer.sh - the classic: a fast producer, a slow consumer, and a buffer of 5. The producer
# is made to wait; never do more than 5 records wait; nothing is lost; the statistics say so. Then
# the same with callbacks: on_full, on_empty, on_consume.
# Usage: scripts/bounded-buffer.sh [RECORDS] [DELAY of the consumer]

# shellcheck disable=SC2015,SC2016  # fail ends the script; "$0" is for the inner shell
. "$(dirname "$0")/lib.sh"
records=${1:-60} delay=${2:-50ms}

begin_broker
step "A buffer of 5 records, and a consumer that needs $delay for each."
run broker -q create buffer --max-records 5
begin consumer consumer -f raw -w 1 --delay "$delay" --stats "$work/consumer.json" buffer
broker -q wait buffer --for consumers=1 --timeout 60s
seq "$records" >"$work/sent"
step "A producer of $records records, which would need no time at all."
begin producer producer -i lines --seal --stats "$work/producer.json" "$work/sent" buffer

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
indent <"$work/producer.err"
notice "the producer was blocked nearly all the time, and never were there more than 5."
[ "$most" -le 5 ] || fail "$most records waited in a buffer of 5"
[ "$most" -ge 4 ] || fail "the buffer never filled: at most $most waited"
holds "$blocked > 0.5 * $seconds" || fail "the producer waited only $blocked s of $seconds s"
ms=$(awk -v d="$delay" 'BEGIN { n = d + 0; print d ~ /ms$/ ? n : n * 1000 }')
for side in producer consumer; do
    [ "$(number "$work/$side.json" records)" = "$records" ] ||
        fail "statistics: $(cat "$work/$side.json")"
done
holds "$(number "$work/consumer.json" seconds) >= ($records - 1) * $ms / 1000" ||
    fail "the consumer was quicker than its delay: $(cat "$work/consumer.json")"

# ---- callbacks ----------------------------------------------------------------------------------
# on_consume is COMMAND, with the item on its standard input. What the programs say when they wait
# becomes on_full and on_empty.
cat >"$work/on_consume" <<'END'
#!/bin/bash
read -r item
echo "on_consume $item" >>"$EVENTS"
# It holds the first item until the script has looked at the full buffer.
until [ "$item" != 1 ] || [ -e "$EVENTS.seen" ]; do sleep 0.05; done
END
chmod +x "$work/on_consume"
export EVENTS=$work/events
: >"$EVENTS"
mkfifo "$work/said"
callbacks() {
    while read -r line; do
        case $line in
        *': full'*) echo on_full ;;
        *'waiting for records'*) echo on_empty ;;
        *) continue ;;
        esac >>"$EVENTS"
    done <"$work/said"
}
happened() { grep -q "$1" "$EVENTS"; }
size_is() { [ "$(topic_lag callbacks)" = "$1" ]; }
step "The same with callbacks. The consumer comes first, and finds the buffer empty."
run broker -q create callbacks --max-records 5
start watcher callbacks
show "consumer -v callbacks -- ./on_consume &"
start consumer bash -c 'exec 2>"$0" consumer -v --stats "$1" callbacks -- "$2"' \
    "$work/said" "$work/consumer.json" "$work/on_consume"
wait_until "on_empty" happened on_empty
seq 8 >"$work/eight"
step "Then the producer, which puts 8 items and finds the buffer full."
show "producer --delay 1ms eight callbacks &"
start producer bash -c 'exec 2>"$0" producer --delay 1ms --stats "$1" "$2" callbacks' \
    "$work/said" "$work/producer.json" "$work/eight"
wait_until "on_full" happened on_full
size_is 5 || fail "the buffer is full with $(topic_lag callbacks)"
touch "$EVENTS.seen"
finish producer
step "mark_complete: no put is possible any more, and the consumer ends when it has had everything."
run broker -q seal callbacks
finish consumer watcher
status=0
producer -q "$work/eight" callbacks 2>"$work/late" || status=$?
[ $status = 6 ] || fail "a put after mark_complete: exit status $status"
step "What was called:"
indent <"$EVENTS"
notice "on_empty and on_full are lines that consumer and producer print when they wait."
size_is 0 || fail "size is $(topic_lag callbacks) at the end"
grep on_consume "$EVENTS" | same <(seq -f 'on_consume %.0f' 8) - \
    "on_consume was called for other items"
[ "$(grep -n -m 1 on_empty "$EVENTS" | cut -d: -f1)" = 1 ] ||
    fail "on_empty did not come first"
[ "$(number "$work/consumer.json" commands)" = 8 ] &&
    [ "$(number "$work/producer.json" records)" = 8 ] || fail "statistics of the callbacks"
stop_broker
ok "the producer waited $blocked of its $seconds s; at most $most records were in the buffer" \
    "of 5; all $records arrived in order; callbacks came as they should"
