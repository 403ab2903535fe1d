#!/bin/bash
# many-to-many.sh - several producers and the consumers of one group share a topic: each record goes
# to exactly one consumer, and the records of one producer stay in order.
# Usage: scripts/many-to-many.sh [PRODUCERS] [CONSUMERS] [RECORDS of each producer]
. "$(dirname "$0")/lib.sh"
producers=${1:-3} consumers=${2:-3} records=${3:-20000}

begin_broker
step "A topic, and $consumers consumers. They name no group, so they share group 'default'."
run broker -q create work
for ((i = 1; i <= consumers; i++)); do
    begin "consumer-$i" consumer -f raw -w 100 --stats "$work/consumer-$i.json" work
done
broker -q wait work --for consumers="$consumers" --timeout 60s
step "$producers producers send $records records each, all at the same time."
for ((i = 1; i <= producers; i++)); do
    seq -f "p$i %.0f" "$records" >"$work/input-$i"
    begin "producer-$i" producer -q -i lines "$work/input-$i" work
done
for ((i = 1; i <= producers; i++)); do
    finish "producer-$i"
done
step "No producer sends more, so the topic is sealed: the consumers end when they have read all."
run broker -q seal work
for ((i = 1; i <= consumers; i++)); do
    finish "consumer-$i"
    say "    consumer $i had $(number "$work/consumer-$i.json" records) records"
    awk '$2 <= last[$1] { print "line " NR ": " $0; exit 1 } { last[$1] = $2 }' \
        "$work/consumer-$i.out" >"$work/order" ||
        fail "consumer $i: out of order: $(cat "$work/order")"
done
notice "the shares differ: a consumer takes up to -w records whenever it is free."
sort "$work"/input-* >"$work/sent"
sort "$work"/consumer-*.out >"$work/arrived"
same "$work/sent" "$work/arrived" "what arrived is not what was sent"
stop_broker
ok "all $((producers * records)) records arrived, each at one consumer," \
    "the records of each producer in order"
