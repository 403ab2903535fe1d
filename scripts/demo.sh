#!/bin/bash
# demo.sh - Millrace at work, in a few seconds: one producer of 12,000 orders; two consumers of
# group "billing", which share them; one consumer of group "audit", which sees them all. `make demo`
# builds first, and then runs this.
# Usage: scripts/demo.sh
. "$(dirname "$0")/lib.sh"

data=$top/data/orders.csv
begin_broker
step "It makes a topic in shared memory."
run broker -q create orders
step "Three consumers wait: anna and ben in group billing, carla in group audit."
for name in anna ben; do
    begin $name consumer -g billing --name $name -w 100 -f csv --stats "$work/$name.json" orders
done
begin carla consumer -g audit --name carla -f csv --stats "$work/carla.json" orders
broker -q wait orders --for consumers=3 --timeout 60s
step "A producer sends every row of a file and seals the topic: nothing more will come."
run producer -r 20k --seal --stats "$work/producer.json" "$data" orders 2>&1

finish anna ben carla
step "What carla saw, first lines:"
head -n 4 "$work/carla.out" | indent
step "What they say at the end:"
for name in anna ben carla; do
    say "    $name: $(tail -n 1 "$work/$name.err")"
done
notice "anna and ben shared the orders; carla, in another group, saw all of them."
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
    "($(number "$work/anna.json" records) anna, $(number "$work/ben.json" records) ben)," \
    "each row once; the broker cleaned up"
