#!/bin/bash
# csv-lab.sh - the CSV lab: a reader puts rows of a file into a queue, workers take them. First a
# reader that takes its time, so that the worker waits for rows; then a quick reader and slow
# workers on a short queue, so that the reader waits for room.
# Usage: scripts/csv-lab.sh [ROWS] [PAUSE] [WORKERS]
. "$(dirname "$0")/lib.sh"
rows=${1:-60} pause=${2:-20ms} workers=${3:-3}
file=$top/data/orders.csv
begin_broker

# ---- an empty queue: the worker waits -----------------------------------------------------------
step "A worker waits for rows. It prints when each came (%T), and two of its columns."
run broker -q create rows
begin worker consumer -f '%T %{order_id} %{item}\n' --stats "$work/worker.json" rows
broker -q wait rows --for consumers=1 --timeout 60s
step "A reader puts a row into the queue every $pause."
begin reader producer -c "$rows" --delay "$pause" --seal --stats "$work/reader.json" "$file" rows
finish reader worker
head -n 4 "$work/worker.out" | indent
indent <"$work/worker.err"
notice "the worker waits for each row: it is at most as quick as its reader."

# As in the file, byte for byte; the worker had them in that order; and each at least the pause
# after the one before.
consumer -q -e -g check -f csv rows >"$work/again"
head -c "$(stat -c %s "$work/again")" "$file" | same - "$work/again" \
    "the rows in the queue are not the first rows of the file"
seq "$rows" | same - <(consumer -q -e -g ids -f '%o\n' rows | awk '{ print $1 + 1 }') \
    "not $rows rows"
consumer -q -e -g order -f '%{order_id}\n' rows | same - <(cut -d' ' -f2 "$work/worker.out") \
    "the worker had the rows in another order"
ms=$(awk -v d="$pause" 'BEGIN { n = d + 0; print d ~ /ms$/ ? n : n * 1000 }')
awk -v ms="$ms" '
    NR > 1 && $1 - last < ms - 1 { print "row " NR " came " $1 - last " ms after the last"; exit 1 }
    { last = $1 }' "$work/worker.out" >"$work/gaps" || fail "$(cat "$work/gaps")"
starved=$(number "$work/worker.json" starved_seconds)
holds "$starved > 0.5 * ($rows - 1) * $ms / 1000" ||
    fail "the worker waited only $starved s for rows"

# ---- a full queue: the reader waits -------------------------------------------------------------
step "A queue of 10 rows, and $workers workers that need 20 ms for each row."
run broker -q create short --max-records 10
for ((i = 1; i <= workers; i++)); do
    begin "worker-$i" consumer -q -w 1 --delay 20ms -f '%o\n' short
done
broker -q wait short --for consumers="$workers" --timeout 60s
step "A quick reader of $((3 * rows)) rows."
begin reader producer -c $((3 * rows)) --seal --stats "$work/reader.json" "$file" short
most=0
while running reader; do
    waiting=$(topic_lag short)
    [ "$waiting" -le "$most" ] || most=$waiting
    sleep 0.1
done
finish reader
for ((i = 1; i <= workers; i++)); do
    finish "worker-$i"
    say "    worker $i: $(wc -l <"$work/worker-$i.out") rows"
    [ -s "$work/worker-$i.out" ] || fail "worker $i had nothing to do"
    sort -n "$work/worker-$i.out" | same - "$work/worker-$i.out" "worker $i had rows out of order"
done
indent <"$work/reader.err"
notice "the reader is quicker than its workers: it was blocked most of the time."
cat "$work"/worker-*.out | sort -n | same <(seq 0 $((3 * rows - 1))) - \
    "not every row went to one worker"
blocked=$(number "$work/reader.json" blocked_seconds) seconds=$(number "$work/reader.json" seconds)
[ "$most" -le 10 ] || fail "$most rows were in a queue of 10"
holds "$blocked > 0.5 * $seconds" || fail "the reader waited only $blocked s of $seconds s for room"
stop_broker
ok "$rows rows one by one, the worker waited $starved s for them;" \
    "then the reader waited $blocked of $seconds s for room, at most $most of 10 in the queue"
