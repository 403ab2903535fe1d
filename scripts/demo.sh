#!/bin/bash
# demo.sh - Millrace at work, in a few seconds: one producer of 12,000 orders; two consumers of group "billing", which share them; one
# consumer of group "audit", which sees them all. Ends by checking that what was sent arrived. `make demo` builds first.
. "$(dirname "$0")/lib.sh"

data=$top/data/orders.csv
say "A broker serves the bus '$MILLRACE_BUS'; it makes a topic 'orders' in shared memory."
start_broker
broker -q create orders
say "Three consumers wait: anna and ben in group billing, carla in group audit."
for name in anna ben; do
    start $name consumer -g billing --name $name -w 100 -f csv --stats "$work/$name.json" orders
done
start carla consumer -g audit --name carla -f csv --stats "$work/carla.json" orders
broker -q wait orders --for consumers=3 --timeout 60s
say "A producer sends every row of $(basename "$data") and seals the topic: nothing more will come."
say "    \$ producer -r 20k --seal $(basename "$data") orders"
producer -r 20k --seal --stats "$work/producer.json" "$data" orders

finish anna ben carla
say
say "What carla saw, first lines:"
head -n 4 "$work/carla.out" | sed 's/^/    /'
say "What they say at the end:"
for name in anna ben carla; do
    say "    $name: $(tail -n 1 "$work/$name.err")"
done
say

rows "$data" | sort >"$work/sent"
for name in anna ben; do
    rows "$work/$name.out"
done | sort >"$work/billing"
sent=$(wc -l <"$work/sent")
same "$data" "$work/carla.out" "what group audit received is not what was sent"
same "$work/sent" "$work/billing" "what group billing received is not what was sent"
stop_broker
ok "$sent rows sent; group audit has the file byte for byte; group billing shared them" \
    "($(number "$work/anna.json" records) anna, $(number "$work/ben.json" records) ben), each row once; the broker cleaned up"
