#!/bin/bash
# e2e_idle.sh - who has nothing to do does nothing: the broker and every kind of waiting consumer wake at most twice a second
# and use no CPU; and a small consumer needs less than 8 MiB of memory beside the topic.
# shellcheck source=tests/expect.sh
. "$(dirname "$0")/expect.sh"
seconds=5

# status PID NAME: a number of /proc/PID/status; wakes PID: how often it went to sleep.
status() { sed -n "s/^$2:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$1/status"; }
wakes() { status "$1" voluntary_ctxt_switches; }

start_broker
broker -q create few --max-records 5
broker -q create parts --partitions 16
seq 100000 | producer -q one
seq 100 | producer -q two
consumer -q -e two >/dev/null
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
all_read() { [ "$(topic_lag one)" = 0 ]; }
for name in one several private peeking missing; do
    wait_until "$name waits" grep -q waiting "$work/$name.err"
done
wait_until "all is read" all_read
broker -q wait two --for consumers=2 --timeout 60s

declare -A before used
pids[broker]=$broker_pid
for name in "${names[@]}" broker; do
    before[$name]=$(wakes "${pids[$name]}")
    used[$name]=$(cpu "${pids[$name]}")
done
sleep $seconds # sleep:ok measures wakeups over a stretch of time
for name in "${names[@]}" broker; do
    woke=$(($(wakes "${pids[$name]}") - before[$name]))
    ticks=$(($(cpu "${pids[$name]}") - used[$name]))
    printf '%-10s %3d wakeups in %d s, %d clock ticks\n' "$name" "$woke" "$seconds" "$ticks"
    # Both ends of the stretch may catch one more.
    [ $woke -le $((2 * seconds + 2)) ] || wrong "$name woke $woke times in $seconds s"
    [ $ticks -le 1 ] || wrong "$name used $ticks clock ticks while idle"
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
    stop_with TERM "$name" 143
done
stop_broker
all_well "idle processes wake at most twice a second and use no CPU"
