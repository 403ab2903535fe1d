#!/bin/bash
# e2e_small.sh - the smallest and the largest that go through: buffers of 1 and of 5 records under several producers and
# consumers, a topic of 4 KiB, the largest record that fits and one byte more, records of 1 MiB, of one byte, and of none.
. "$(dirname "$0")/../../scripts/lib.sh"

start_broker

# ---- few records: never more than so many wait, and all arrive ---------------------------------------------------------------
for setting in "--max-records 1" "--max-records 5" "--max-records 6 --partitions 3" "--size 4k"; do
    topic=few-${setting//[!0-9]/-}
    # shellcheck disable=SC2086  # options and their values
    broker -q create "$topic" $setting
    for p in 1 2; do
        seq -f "$p %.0f" 1500 >"$work/in.$p"
        start producer.$p producer -q "$work/in.$p" "$topic"
    done
    for c in 1 2 3; do
        start out.$c consumer -q "$topic"
    done
    finish producer.1 producer.2
    broker -q seal "$topic"
    finish out.1 out.2 out.3
    sort "$work"/in.* >"$work/sent"
    sort "$work"/out.*.out | same "$work/sent" - "$setting: came back different"
done

for records in 1 5; do
    broker -q create full-$records --max-records $records
    status=0
    seq 10 | producer -q --fail-if-full -T full-$records >"$work/accepted" 2>"$work/err" || status=$?
    [ $status = 5 ] || fail "--fail-if-full into $records: exit status $status: $(cat "$work/err")"
    seq $records | same - "$work/accepted" "not $records records were accepted"
    grep -q 'full' "$work/err" || fail "not a word of full: $(cat "$work/err")"
    consumer -q -e full-$records | same "$work/accepted" - "full-$records: not what was accepted"
    # There is room again.
    seq $records | producer -q --fail-if-full full-$records || fail "no room in full-$records though all was acknowledged"
    consumer -q -e -c $records full-$records >"$work/again"
    seq $records | same - "$work/again" "full-$records: not what was accepted the second time"
done

# ---- large records -----------------------------------------------------------------------------------------------------------
# row BYTES: a line so long without its end
row() { head -c "$1" /dev/zero | tr '\0' x; }
broker -q create narrow --size 4k
status=0
row 5000 | producer -q narrow 2>"$work/err" || status=$?
[ $status = 1 ] || fail "a record larger than the topic: exit status $status"
max=$(sed -n 's/.*the limit for a record is \([0-9]*\).*/\1/p' "$work/err")
[ "$max" ] || fail "the limit is not named: $(cat "$work/err")"
holds "$max > 3000 && $max <= 4096" || fail "a strange limit for a topic of 4 KiB: $max"
row $((max + 1)) | producer -q narrow 2>"$work/err" && fail "a record of $((max + 1)) bytes was accepted, the limit is $max"
start narrow consumer -q narrow
for i in 1 2 3; do
    row "$max" | producer -q narrow || fail "a record of $max bytes was not accepted (number $i)"
done
broker -q seal narrow
finish narrow
for i in 1 2 3; do
    row "$max"
    echo
done >"$work/sent"
cmp "$work/sent" "$work/narrow.out" || fail "records of $max bytes came back different"

# Rows of 1 MiB through the default topic, more than it holds at a time, among small ones.
{
    echo id,text
    for i in {1..40}; do
        printf '%s,"' "$i"
        row 1048576
        printf '"\n%s,small\n' "$i"
    done
} >"$work/mib.csv"
start mib consumer -q -f csv mib
producer -q --seal "$work/mib.csv" mib || fail "records of 1 MiB: exit status $?"
finish mib
cmp "$work/mib.csv" "$work/mib.out" || fail "records of 1 MiB came back different"

# What may wait is shared out among the partitions, and never more than was said.
for partitions in 2 3 5; do
    broker -q create "shared$partitions" --max-records 5 --partitions "$partitions" --full fail
    for ((p = 0; p < partitions; p++)); do
        for ((i = 0; i < 6; i++)); do
            producer -q -p "$p" "shared$partitions" <<<"$i" 2>/dev/null || true # full
        done
    done
    n=$(consumer -q -e "shared$partitions" | wc -l)
    [ "$n" = 5 ] || fail "--max-records 5 with $partitions partitions lets $n wait"
done
broker -q create tight --max-records 2 --partitions 3 2>"$work/err" && fail "two records for three partitions"
grep -q 'each partition needs room for one record' "$work/err" || fail "not said why: $(cat "$work/err")"

# A record cannot be larger than a partition of its topic either.
broker -q create limited --max-record 100
row 101 | producer -q limited 2>"$work/err" && fail "--max-record 100 lets 101 bytes pass"
grep -q 'limit for a record is [1-9]' "$work/err" || fail "the limit is not named: $(cat "$work/err")"

# ---- small records -----------------------------------------------------------------------------------------------------------
tr -dc '[:lower:]' </dev/urandom | head -c 100000 | sed 's/./&\n/g' >"$work/bytes"
start bytes consumer -q bytes
producer -q --seal "$work/bytes" bytes
finish bytes
cmp "$work/bytes" "$work/bytes.out" || fail "records of one byte came back different"
yes '' | head -n 5000 >"$work/empty"
start empty consumer -q empty
producer -q --seal -i lines "$work/empty" empty
finish empty
cmp "$work/empty" "$work/empty.out" || fail "empty records came back different"
# Any byte may be in a record.
head -c 200000 /dev/urandom >"$work/binary"
start binary consumer -q -0 binary
producer -q --seal -i file "$work/binary" binary
finish binary
{ cat "$work/binary" && printf '\0'; } | cmp - "$work/binary.out" || fail "a binary record came back different"

stop_broker
ok "topics of one record, of five, of 4 KiB; records of 1 MiB, of one byte and of none: everything arrived"
