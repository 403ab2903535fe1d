#!/bin/bash
# shards.sh - a topic in partitions, by key: all orders of one user are in one partition, in order;
# several consumers share the partitions.
# Usage: scripts/shards.sh [PARTITIONS] [CONSUMERS]
. "$(dirname "$0")/lib.sh"
partitions=${1:-4} consumers=${2:-2}

begin_broker
step "A topic in $partitions partitions, and $consumers consumers of one group that share them."
run broker -q create orders --partitions "$partitions"
for ((i = 1; i <= consumers; i++)); do
    begin "consumer-$i" consumer -J -w 200 orders
done
broker -q wait orders --for consumers="$consumers" --timeout 60s
step "A producer sends orders; the key of each is its column user_id."
run producer -q --key-col user_id --seal "$top/data/orders.csv" orders
for ((i = 1; i <= consumers; i++)); do
    finish "consumer-$i"
done

# Per line: partition, offset, key, order_id.
cat "$work"/consumer-*.out |
    sed -n 's/.*"partition": *\([0-9]*\).*"offset": *\([0-9]*\).*"key": *"\([^"]*\)".*/&\
\1 \2 \3/; s/.*"value": *{"order_id": *\([0-9]*\).*\n\(.*\)/\2 \1/p' |
    sort -k1,1n -k2,2n >"$work/arrived"
sent=$(rows "$top/data/orders.csv" | wc -l)
[ "$(cut -d' ' -f4 "$work/arrived" | sort -n | uniq | wc -l)" = "$sent" ] ||
    fail "not every one of $sent orders arrived"
[ "$(wc -l <"$work/arrived")" = "$sent" ] ||
    fail "$(wc -l <"$work/arrived") records arrived instead of $sent"
step "Where they went:"
awk '{ n[$1]++; if (!(($1, $3) in seen)) { seen[$1, $3]; keys[$1]++ } }
    END { for (p in n) printf "    partition %d: %d orders of %d users\n", p, n[p], keys[p] }' \
        "$work/arrived" | sort
notice "each user is in one partition, so the orders of one user stay in order."
awk '$3 in home && home[$3] != $1 { print $3 " is in partitions " home[$3] " and " $1; exit 1 }
    $4 <= last[$3] { print $3 ": order " $4 " after " last[$3]; exit 1 }
    { home[$3] = $1; last[$3] = $4 }' "$work/arrived" >"$work/order" || fail "$(cat "$work/order")"
[ "$(cut -d' ' -f1 "$work/arrived" | uniq | wc -l)" = "$partitions" ] ||
    fail "not every partition was used"
stop_broker
ok "$sent orders in $partitions partitions; each user's orders are in one partition, in order"
