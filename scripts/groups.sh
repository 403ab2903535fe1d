#!/bin/bash
# groups.sh - several groups on one topic: each group sees every record, at its own pace.
# Usage: scripts/groups.sh [GROUPS] [RECORDS]
. "$(dirname "$0")/lib.sh"
groups=${1:-3} records=${2:-20000}

begin_broker
step "A topic, and $groups consumers, each of a group of its own."
run broker -q create news
for ((i = 1; i <= groups; i++)); do
    begin "group-$i" consumer -g "group-$i" -f raw --stats "$work/group-$i.json" news
done
broker -q wait news --for consumers="$groups" --timeout 60s
step "A producer sends $records records once."
show "seq $records | producer --seal news"
seq "$records" | tee "$work/sent" | producer -q --seal news
for ((i = 1; i <= groups; i++)); do
    finish "group-$i"
    say "    group-$i saw $(number "$work/group-$i.json" records)"
    same "$work/sent" "$work/group-$i.out" "group-$i did not see what was sent"
done
notice "each group saw all of them, though they were sent once."
step "A group that comes later still finds what is kept."
show "consumer -g late -f raw -e news | wc -l"
consumer -q -g late -f raw -e news >"$work/late"
wc -l <"$work/late" | indent
notice "what is read is not removed: it gives way only when its room is needed."
same "$work/sent" "$work/late" "the late group did not see what was sent"
stop_broker
ok "each of $groups groups, and a late one, saw all $records records in order"
