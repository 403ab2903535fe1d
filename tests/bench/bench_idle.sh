#!/bin/bash
# bench_idle.sh - what a broker and a consumer that wait for records cost: group "idle", over 5 s with nothing to do.
. "$(dirname "$0")/../../scripts/lib.sh"
seconds=5

# wakes PID: how often it went to sleep, so far. ran PID: nanoseconds of CPU, as exact as the scheduler counts them.
wakes() { sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' "/proc/$1/status"; }
ran() { cut -d ' ' -f 1 "/proc/$1/schedstat"; }
# emit SERIES METRIC VALUE: a result, as bench.h has it.
emit() { printf '{"group":"idle","series":"%s","at":1,"metric":"%s","value":%s}\n' "$@"; }

start_broker
seq 1000 | producer -q t
start consumer consumer t
all_read() { [ "$(topic_lag t)" = 0 ]; }
wait_until "the consumer waits" grep -q waiting "$work/consumer.err"
wait_until "all is read" all_read

# From one wakeup of the consumer on, so that its next ones are not counted by chance once more or less.
first=$(wakes "${pids[consumer]}")
woken() { [ "$(wakes "${pids[consumer]}")" != "$first" ]; }
wait_until "the consumer wakes" woken
declare -A before used
pids[broker]=$broker_pid
for name in consumer broker; do
    before[$name]=$(wakes "${pids[$name]}")
    used[$name]=$(ran "${pids[$name]}")
done
sleep $seconds
for name in consumer broker; do
    woke=$(($(wakes "${pids[$name]}") - before[$name]))
    ns=$(($(ran "${pids[$name]}") - used[$name]))
    emit "$name" wakeups_per_s "$(awk "BEGIN { print $woke / $seconds }")"
    emit "$name" cpu_percent "$(awk "BEGIN { printf \"%.4f\", $ns / $seconds / 1e7 }")"
done
unset "pids[broker]"
kill -INT "${pids[consumer]}"
wait "${pids[consumer]}" || true
unset "pids[consumer]"
stop_broker
