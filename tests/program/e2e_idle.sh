#!/bin/bash
# e2e_idle.sh - who has nothing to do does nothing: the broker and every kind of waiting consumer wake at most twice a second, by a clock
# that goes on only while all of them wait; and a small consumer needs less than 8 MiB of memory beside the topic. What they use of the CPU
# meanwhile: tests/bench/bench_idle.sh.
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"
seconds=60 # of that clock

# status PID NAME: a number of /proc/PID/status.
status() { sed -n "s/^$2:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$1/status"; }

on_clock turned broker
start_broker
off_clock
broker -q create few --max-records 5
broker -q create parts --partitions 16
seq 100000 | producer -q one
seq 100 | producer -q two
consumer -q -e two >/dev/null
on_clock turned producer consumer
start one consumer one
start member consumer one
start several consumer one two parts
start private consumer --all -o end two
start peeking consumer --peek -o end two
start missing consumer nothing
mkfifo "$work/more"
exec 5<>"$work/more"
start producer producer "$work/more" two
names=(one member several private peeking missing producer)
off_clock
all_read() { [ "$(topic_lag one)" = 0 ]; }
wait_until "all is read" all_read
broker -q wait one --for consumers=3 --timeout 60s
broker -q wait two --for consumers=2 --timeout 60s
# The first second is for what each says, and for steps that begin short.
pass 1s broker "${names[@]}"
for name in one several private peeking missing; do
    says "$name.err" waiting
done

declare -A before
pids[broker]=$broker_pid
for name in "${names[@]}" broker; do
    before[$name]=$(clock waits "${pids[$name]}")
done
pass ${seconds}s broker "${names[@]}"
for name in "${names[@]}" broker; do
    woke=$(($(clock waits "${pids[$name]}") - before[$name]))
    printf '%-10s %3d wakeups in %d s\n' "$name" "$woke" "$seconds"
    # A wakeup that another one of the group has passed on comes on top, once.
    [ $woke -le $((2 * seconds + 1)) ] || wrong "$name woke $woke times in $seconds s"
done
unset "pids[broker]"

# What is resident of the topic, shared with everyone, does not count. "one" has read more than its topic's room.
for name in one missing; do
    own=$(($(status "${pids[$name]}" VmRSS) - $(status "${pids[$name]}" RssShmem)))
    say "$name: $own KiB resident beside the topic"
    [ "${MILLRACE_SAN:-}" ] || [ $own -lt 8192 ] || wrong "$name has $own KiB resident beside the topic"
done

exec 5>&-
for name in "${names[@]}"; do
    stop_turned TERM "$name" 143
done
pass 1s broker
stop_broker
all_well "idle processes wake at most twice a second"
