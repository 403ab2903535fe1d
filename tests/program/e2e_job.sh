#!/bin/bash
# e2e_job.sh - the main job at full size: 1,000,000 rows (90 MB) through the default topic of 16 MiB while producer and consumer run
# together, byte for byte, with each kind of line end; 4 producers and 4 consumers in one group, in two groups, in partitions; tiny topics.
. "$(dirname "$0")/../../scripts/lib.sh"

start_broker
"$top/scripts/big-csv.sh" 1000000 >"$work/lf.csv"
sed 's/$/\r/' "$work/lf.csv" >"$work/crlf.csv"
head -c -1 "$work/lf.csv" >"$work/none.csv"
for kind in lf crlf none; do
    start $kind consumer -q -f csv $kind
    producer -q --seal "$work/$kind.csv" $kind || fail "$kind: producer: exit status $?"
    finish $kind
    cmp "$work/$kind.csv" "$work/$kind.out" || fail "$kind: came back different"
    rm "$work/$kind.out"
done

# Buffers of 1 and of 5 records, and a topic of 4 KiB, lose and change nothing either.
n=0
seq 2000 >"$work/numbers"
for setting in "--max-records 1" "--max-records 5" "--size 4k"; do
    n=$((n + 1))
    name=small-$n
    # shellcheck disable=SC2086  # an option and its value
    broker -q create $name $setting
    start $name consumer -q $name
    producer -q --seal "$work/numbers" $name
    finish $name
    same "$work/numbers" "$work/$name.out" "$setting: came back different"
done
broker -q create small --size 4k
head -c 10000 /dev/zero | tr '\0' x >"$work/wide"
status=0
producer -q "$work/wide" small 2>"$work/err" || status=$?
[ $status = 1 ] || fail "a record larger than the topic: exit status $status: $(cat "$work/err")"
head -c 1048576 /dev/zero | tr '\0' y >"$work/mib"
producer -q --seal "$work/mib" mib
consumer -q -e mib | tr -d '\n' | cmp "$work/mib" - || fail "a record of 1 MiB came back different"
stop_broker

for how in "-g 1" "-g 2" "-g 1 -P 4" "-g 2 -m 1000"; do
    # shellcheck disable=SC2086  # options and their values
    "$top/scripts/experiment.sh" -p 4 -c 4 -n 1000000 $how >"$work/experiment" 2>&1 || fail "experiment $how: $(cat "$work/experiment")"
done
ok "1,000,000 rows three times, small topics, and 4 producers with 4 consumers in four ways: everything arrived"
