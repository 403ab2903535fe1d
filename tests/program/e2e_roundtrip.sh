#!/bin/bash
# e2e_roundtrip.sh - every sample and edge case of data/, as it is, with CRLF, and without its last newline, through topics so
# small that they are overwritten many times, while producer and consumer run together: byte for byte. Half of the consumers end
# by --drain. (Through the default topic: e2e_edge.sh; 1,000,000 rows: e2e_job.sh.)
. "$(dirname "$0")/../../scripts/lib.sh"

has_producer() { broker -q -J describe "$1" 2>/dev/null | grep -q '"producers":1'; }

start_broker
mkfifo "$work/more"
n=0
for file in "$top"/data/*.csv "$top"/data/edge/*.csv; do
    [ ! -e "${file%.csv}.expected" ] || ! grep -q '^error' "${file%.csv}.expected" || continue
    cp "$file" "$work/lf.csv"
    sed 's/\r*$/\r/' "$file" >"$work/crlf.csv"
    head -c -1 "$file" >"$work/none.csv"
    widest=$(awk '{
            size += length($0) + 1
            if (gsub(/"/, "&") % 2) open = !open
            if (open) next
            if (size > most) most = size
            size = 0
        }
        END { print most + size }' "$file")
    for kind in lf crlf none; do
        # Without its last byte the last field of some is a quote that never closes.
        producer -q -n "$work/$kind.csv" x 2>/dev/null || continue
        n=$((n + 1))
        topic=$(basename "$file" .csv)-$kind
        if [ "$widest" -lt 3900 ]; then size=4k; else size=$((2 * widest + 4096)); fi
        broker -q create "$topic" --size $size
        until=()
        if [ $((n % 2)) = 0 ]; then
            # Who drains before a producer is there has nothing to wait for: one that sends nothing stays until ours is there.
            until=(--drain)
            start holder producer -q -i lines "$work/more" "$topic"
            exec 5>"$work/more"
            wait_until "$topic has a producer" has_producer "$topic"
        fi
        start out consumer -q -f csv "${until[@]}" "$topic" 5>&-
        producer -q "$work/$kind.csv" "$topic" || fail "$topic: producer: exit status $?"
        if [ "${until[*]}" ]; then
            exec 5>&-
            finish holder
        else
            broker -q seal "$topic"
        fi
        finish out
        cmp "$work/$kind.csv" "$work/out.out" || fail "$topic: came back different"
    done
done
stop_broker
[ $n -gt 50 ] || fail "only $n files"
ok "$n files came back byte for byte through small topics"
