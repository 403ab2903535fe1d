#!/bin/bash
# groups.sh - several groups on one topic: each group sees every record, at its own pace. Usage: scripts/groups.sh [GROUPS] [RECORDS]
. "$(dirname "$0")/lib.sh"
groups=${1:-3} records=${2:-20000}

start_broker
broker -q create news
for ((i = 1; i <= groups; i++)); do
    start "group-$i" consumer -g "group-$i" -f raw --stats "$work/group-$i.json" news
done
broker -q wait news --for consumers="$groups" --timeout 60s
say "$groups groups with one consumer each; a producer sends $records records."
seq "$records" | tee "$work/sent" | producer -q --seal news
for ((i = 1; i <= groups; i++)); do
    finish "group-$i"
    say "group-$i saw $(number "$work/group-$i.json" records)"
    same "$work/sent" "$work/group-$i.out" "group-$i did not see what was sent"
done
say "A group that comes later still finds what is retained:"
consumer -q -g late -f raw -e news >"$work/late"
same "$work/sent" "$work/late" "the late group did not see what was sent"
stop_broker
ok "each of $groups groups, and a late one, saw all $records records in order"
