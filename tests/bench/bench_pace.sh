#!/bin/bash
# bench_pace.sh - how well -r keeps to the machine's clock: group "pace". What is due when, by a clock that stands still meanwhile, is tested in
# e2e_produce_pace.sh.
. "$(dirname "$0")/../../scripts/lib.sh"

# emit SERIES METRIC VALUE: a result, as bench.h has it.
emit() { printf '{"group":"pace","series":"%s","at":1,"metric":"%s","value":%s}\n' "$@"; }

start_broker
seq 100000 >"$work/numbers"
for rate in 25 1000; do
    producer -q -r $rate -c $((rate * 2)) "$work/numbers" "r$rate"
    consumer -q -e -f '%T\n' "r$rate" >/dev/null
    # Against the earliest, for the first may be late itself.
    consumer -q --peek -o beginning -e -J "r$rate" | sed 's/.*"ts":[0-9]*\([0-9]\{6\}\)\([0-9]\{6\}\),.*/\1 \2/' |
        awk -v gap="$((1000000 / rate))" 'NR == 1 { s = $1 } { print ($1 - s + 1000000) % 1000000 + $2 / 1e6 - (NR - 1) * gap / 1e3 }' | sort -n >"$work/late"
    for p in 50 99; do
        emit "-r $rate" "late_p${p}_ms" "$(awk -v p=$p '{ late[NR] = $1 } END { print late[int((NR - 1) * p / 100) + 1] - late[1] }' "$work/late")"
    done
done
broker -q create fast --size 4M --full drop-oldest
producer -q -r 1M --repeat 15 --stats "$work/stats" "$work/numbers" fast
emit "-r 1M" records_per_s "$(number "$work/stats" records_per_second)"
stop_broker 2>/dev/null || true
