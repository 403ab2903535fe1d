#!/bin/bash
# experiment.sh - producers and consumers as you like, measured: rates, shares, who waited how long,
# the lag over time. Checks at the end that what was sent arrived, each record once.
# Usage: scripts/experiment.sh [OPTIONS]
#   -p N  producers [2]        --pdelay D  each pauses D after a record [0]
#   -c N  consumers [2]        --cdelay D  each takes D for a record [0]
#   -g N  groups; each has -c consumers and sees every record [1]
#   -P N  partitions [1]
#   -m N  topic capacity in records [bytes alone bound it]
#   -s SIZE  topic capacity in bytes [16M]
#   -w N  records that a consumer holds at most [1000]
#   -n N  records in all [100000]
#   -t SECONDS  produce for so long, instead of -n
# Try: scripts/experiment.sh -p 1 -c 3 -m 100 --cdelay 1ms -t 5
own_options=1
. "$(dirname "$0")/lib.sh"

producers=2 consumers=2 groups=1 partitions=1 records=100000 seconds="" pdelay=0 cdelay=0
window=1000 settings=()
while [ $# -gt 0 ]; do
    case $1 in
    -[pcgPmswnt] | --pdelay | --cdelay)
        [ $# -gt 1 ] || { echo "experiment: $1 wants a value" >&2; exit 2; }
        ;;
    *) echo "experiment: unknown option '$1'" >&2; usage >&2; exit 2 ;;
    esac
    case $1 in
    -p) producers=$2 ;;
    -c) consumers=$2 ;;
    -g) groups=$2 ;;
    -P) partitions=$2 ;;
    -m) settings+=(--max-records "$2") ;;
    -s) settings+=(--size "$2") ;;
    -w) window=$2 ;;
    -n) records=$2 ;;
    -t) seconds=$2 ;;
    --pdelay) pdelay=$2 ;;
    --cdelay) cdelay=$2 ;;
    esac
    shift 2
done
for count in "$producers" "$consumers" "$groups" "$partitions" "$records" ${seconds:+"$seconds"}; do
    [[ $count =~ ^[1-9][0-9]*$ ]] || { echo "experiment: not a count: '$count'" >&2; exit 2; }
done

# Rows that no other producer sends: producer i has the ids from i billion on.
input() { "$top/scripts/big-csv.sh" "$2" "${1}000000001"; }
share() { echo $((records / producers + ($1 <= records % producers))); }
produce() {
    # Run by start, which makes it the producer's own process: a signal reaches the producer.
    local rows
    if [ "$seconds" ]; then rows=1000000000; else rows=$(share "$1"); fi
    exec producer -q -i csv --delay "$pdelay" --stats "$work/producer-$1.json" - rows \
        < <(input "$1" "$rows")
}
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
sample() { echo "$(($(now_ms) - began)) $(topic_lag rows)" >>"$work/lag"; }
any_running() {
    local name
    for name in "${!pids[@]}"; do
        [[ $name != "$1"-* ]] || ! running "$name" || return 0
    done
    return 1
}

begin_broker
step "A topic, $groups group(s) of $consumers consumers, and $producers producers."
run broker -q create rows --partitions "$partitions" "${settings[@]}"
consuming=() producing=()
for ((g = 1; g <= groups; g++)); do
    for ((i = 1; i <= consumers; i++)); do
        begin "consumer-$g.$i" consumer -g "group-$g" -f csv -w "$window" --delay "$cdelay" \
            --stats "$work/consumer-$g.$i.json" rows
        consuming+=("consumer-$g.$i")
    done
done
broker -q wait rows --for consumers=$((groups * consumers)) --timeout 60s
began=$(now_ms)
for ((i = 1; i <= producers; i++)); do
    show "scripts/big-csv.sh N ${i}000000001 | producer -i csv --delay $pdelay - rows &"
    start "producer-$i" produce "$i"
    producing+=("producer-$i")
done

# One sample of the lag five times a second, until the producers are done, then until the consumers
# are.
stopped=
while any_running producer; do
    sample
    if [ "$seconds" ] && [ ! "$stopped" ] &&
        [ $(($(now_ms) - began)) -ge $((seconds * 1000)) ]; then
        stopped=1
        for name in "${producing[@]}"; do
            kill -INT "${pids[$name]}" 2>/dev/null || true
        done
    fi
    sleep 0.2
done
for name in "${producing[@]}"; do
    status=0
    wait "${pids[$name]}" || status=$?
    unset "pids[$name]"
    [ "$status" = "${stopped:+13}0" ] || [ $status = 0 ] ||
        fail "$name: exit status $status: $(cat "$work/$name.err")"
done
run broker -q seal rows
while any_running consumer; do
    sample
    sleep 0.2
done
sample
took_ms=$(($(now_ms) - began))
finish "${consuming[@]}"

# ---- the table ----------------------------------------------------------------------------------
sent=0
for name in "${producing[@]}"; do
    sent=$((sent + $(number "$work/$name.json" records)))
done
# part NAME WAITING: a line of the table from the process's figures; waiting is shown as a part of
# the whole time, too.
part() {
    awk -v name="$1" -v all="$sent" -v records="$(number "$work/$1.json" records)" \
        -v seconds="$(number "$work/$1.json" seconds)" -v waited="$(number "$work/$1.json" "$2")" \
        -v took="$took_ms" 'BEGIN {
            printf "%-14s %10d %6.1f%% %11.0f %9.2f s %5.0f%%\n", name, records,
                (all ? 100 * records / all : 0), (seconds > 0 ? records / seconds : 0), waited,
                (waited * 1000 > took ? 100 : 100000 * waited / took)
        }'
}
step "$sent records in $((took_ms / 1000)).$((took_ms / 100 % 10)) s:"
printf '%-14s %10s %7s %11s %11s\n' process records share records/s waited
for name in "${producing[@]}"; do
    part "$name" blocked_seconds
done
for name in "${consuming[@]}"; do
    part "$name" starved_seconds
done
notice "producers wait for room, consumers for records: who waits is not the one to make faster."
step "Lag over time (records not acknowledged by the group that is furthest behind):"
awk '{ at[NR] = $1; lag[NR] = $2 + 0; if (lag[NR] > most) most = lag[NR] }
    END {
        step = NR > 20 ? NR / 20 : 1
        for (i = 1; i <= NR; i = i + step) {
            n = int(i); bar = ""
            for (k = 0; k < (most ? lag[n] / most * 40 : 0); k++)
                bar = bar "#"
            printf "  %6.1f s %9d %s\n", at[n] / 1000, lag[n], bar
        }
    }' "$work/lag"
echo

# ---- what was sent arrived ----------------------------------------------------------------------
# A producer takes its rows in order, so what it sent are the first rows of its input.
for ((i = 1; i <= producers; i++)); do
    input "$i" "$(number "$work/producer-$i.json" records)" | rows
done | sort >"$work/sent"
for ((g = 1; g <= groups; g++)); do
    for ((i = 1; i <= consumers; i++)); do
        rows "$work/consumer-$g.$i.out"
    done | sort >"$work/arrived"
    same "$work/sent" "$work/arrived" "what group-$g received is not what was sent"
done
stop_broker
ok "the $sent records of $producers producers arrived in $groups group(s) of $consumers" \
    "consumers, each once;" \
    "$(awk "BEGIN { printf \"%.1f s, %.0f records/s\", $took_ms / 1000, 1000 * $sent / $took_ms }")"
