#!/bin/bash
# e2e_sharing.sh - 4 producers of 250,000 rows each (50,000 with sanitizers), 4 consumers a group, with 1 and 3 partitions and 1
# and 2 groups: each group gets every row once; what one consumer prints of a partition is in order, and so are there the rows
# of each producer. Some end by the seal, some by --drain.
. "$(dirname "$0")/../../scripts/lib.sh"
each=$([ "${MILLRACE_SAN:-}" ] && echo 50000 || echo 250000)

# Rows "producer number"; consumers print "partition offset row".
for p in 1 2 3 4; do
    seq -f "$p %.0f some more text to make it an ordinary row" "$each" >"$work/in.$p"
done
echo "5 1 the row of a producer that stays until the others are done, lest they be taken for all there will be" >"$work/in.5"
sort "$work"/in.* >"$work/sent"
mkfifo "$work/more"

# in_order FILE: within each partition offsets only grow, and so do the numbers of each producer.
in_order() {
    awk '{
        if ($1 in offset && $2 <= offset[$1]) { print "offset " $2 " after " offset[$1] ": " $0; exit 1 }
        if (($1, $3) in number && $4 <= number[$1, $3]) { print "row " $4 " after " number[$1, $3] ": " $0; exit 1 }
        offset[$1] = $2; number[$1, $3] = $4
    }' "$1"
}
# consecutive FILE...: together they have each offset of each partition, once.
consecutive() {
    cut -d ' ' -f 1,2 "$@" | sort -k 1,1n -k 2,2n |
        awk '$1 != partition { partition = $1; due = 0 }
            $2 != due++ { print "partition " $1 ": " $2 " where " due - 1 " was due"; exit 1 }'
}

has_records() { [ "$(consumer -q --peek -e "$1")" ]; }

start_broker
for partitions in 1 3; do
    for groups in 1 2; do
        topic=shared-$partitions-$groups
        broker -q create $topic --partitions $partitions
        start producer.5 producer -q "$work/more" $topic
        exec 5>"$work/more"
        cat "$work/in.5" >&5
        wait_until "$topic has a producer" has_records $topic
        until=()
        [ $partitions = 1 ] || until=(--drain)
        names=()
        for ((g = 1; g <= groups; g++)); do
            for c in 1 2 3 4; do
                start "out.$g.$c" consumer -q "${until[@]}" -g "group-$g" -f '%p %o %s\n' $topic 5>&-
                names+=("out.$g.$c")
            done
        done
        broker -q wait $topic --for consumers=$((4 * groups)) --timeout 60s
        for p in 1 2 3 4; do
            start "producer.$p" producer -q "$work/in.$p" $topic
        done
        finish producer.1 producer.2 producer.3 producer.4
        exec 5>&-
        finish producer.5
        [ $partitions = 3 ] || broker -q seal $topic
        finish "${names[@]}"
        for ((g = 1; g <= groups; g++)); do
            for c in 1 2 3 4; do
                in_order "$work/out.$g.$c.out" >"$work/why" || fail "$topic: group $g, consumer $c: $(cat "$work/why")"
            done
            consecutive "$work/out.$g".*.out >"$work/why" || fail "$topic: group $g: $(cat "$work/why")"
            cut -d ' ' -f 3- "$work/out.$g".*.out | sort |
                same "$work/sent" - "$topic: what group $g received is not what was sent"
        done
        rm "$work"/out.*
    done
done
stop_broker
ok "$((4 * each)) rows of 4 producers, 4 consumers a group, four ways: everything arrived, once, in order"
