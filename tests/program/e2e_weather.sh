#!/bin/bash
# e2e_weather.sh - rough weather for the programs: a consumer, the broker or all of them stopped; a broker without descriptors; two brokers at
# once; a thousand topics; segments removed by hand. Users: e2e_users.sh; the same through the library: proc_weather.c, proc_crowd.c.
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"

segment=/dev/shm/millrace.$(id -u).$MILLRACE_BUS
seq 20000 >"$work/numbers"

start_broker

# ---- a stopped consumer: the other one goes on, the producer says who it waits for -------------------------------------------
broker -q create held --size 64k
seq 20 | producer -q held
start slow consumer -q -w 10 --delay 1h -f '%o\n' held
wait_until "the slow one has some" lines "$work/slow.out" 1
kill -STOP "${pids[slow]}"
start other consumer -q -f '%o\n' held
start producer producer "$work/numbers" held
wait_until "the producer names the stopped one" has producer.err "full; group default: pid ${pids[slow]} .*has held it"
wait_until "the other has all that the slow one has not" figure_is held in_hand 10
kill9 slow
finish producer
broker -q seal held
finish other
sort -n "$work/other.out" | same <(seq 0 20019) - "after a stopped consumer was killed, not everything came"

# ---- the broker is stopped: traffic goes on, creation waits and says for whom -------------------------------------------------
broker -q create there
kill -STOP "$broker_pid"
start reader consumer -q -c 20000 there
producer -q "$work/numbers" there || fail "with the broker stopped: producer: exit status $?"
finish reader
same "$work/numbers" "$work/reader.out" "with the broker stopped, something else came"
seq 10 | producer -q there
start holder consumer -q -w 10 --delay 1h -f '%o\n' there
wait_until "the holder has some" lines "$work/holder.out" 1
start heir consumer -q -c 10 -f '%n\n' there
kill9 holder
finish heir # it has noticed by itself
start create broker create later --size 64k
start producer producer "$work/numbers" new
for name in create producer; do
    wait_until "$name says that it waits" has "$name.err" "waiting for the broker, pid $broker_pid, .*kill -CONT $broker_pid"
done
stop_with TERM producer 143
start producer producer -q "$work/numbers" new
kill -CONT "$broker_pid"
finish create producer
broker -q describe later >/dev/null || fail "what was asked of a stopped broker was not done"
consumer -q -e new | same "$work/numbers" - "asked of a stopped broker"

# ---- the broker has no descriptors: it does not spin, those who are attached go on, and it serves again ------------------------
if command -v prlimit >/dev/null; then
    kill_broker
    on_clock turned broker
    start_broker
    off_clock
    usual=$(prlimit --pid "$broker_pid" --nofile --noheadings --output SOFT)
    prlimit --pid "$broker_pid" --nofile=3:
    pass 0s broker
    before=$(clock waits "$broker_pid")
    status=0
    clock alone "$bin/broker" ping 2>"$work/ping.err" || status=$?
    [ $status = 3 ] || fail "ping of a broker without descriptors: exit status $status"
    says ping.err "the broker, pid $broker_pid, does not answer"
    start reader consumer -q -c 20000 -g again there
    finish reader
    same "$work/numbers" "$work/reader.out" "without descriptors in the broker, something else came"
    start brief consumer -q --name brief there
    broker -q wait there --for consumers=1 --timeout 60s
    kill9 brief
    pass 1s broker # its next look
    wait_until "a death is noticed all the same" has broker.err '\(brief\) died'
    pass 9s broker # it waits in between
    before=$(($(clock waits "$broker_pid") - before))
    [ $before -lt 40 ] || fail "a broker without descriptors woke $before times in 10 s"
    prlimit --pid "$broker_pid" --nofile="$usual":
    pass 1s broker
    broker ping >"$work/ping" || fail "the broker does not answer again: $?"
    kill_broker
    start_broker
    broker -q create again --size 64k
else
    say "not tried: a broker without descriptors (no prlimit)"
fi

# ---- everything is stopped for an hour, and goes on --------------------------------------------------------------------------
broker -q delete there
stop_broker
# By a clock on which they are stopped for an hour, longer than any bound that could take a stopped process for dead.
on_clock turned broker consumer
start_broker -t all,size=64k,partitions=2
start one consumer -q all
start two consumer -q all
on_clock sleeps producer
start feed producer -q -r 10k "$work/numbers" all
off_clock
wait_until "traffic" lines "$work/one.out" 100
for pid in "${pids[feed]}" "${pids[one]}" "${pids[two]}" "$broker_pid"; do kill -STOP "$pid"; done
clock pass 3600s
for pid in "${pids[two]}" "$broker_pid" "${pids[feed]}" "${pids[one]}"; do kill -CONT "$pid"; done
finish feed
broker -q seal all
finish one two
sort -n "$work/one.out" "$work/two.out" | same "$work/numbers" - "after everything was stopped, something is missing or came twice"
[ "$(figure all producers_died)" = 0 ] || fail "a producer that was stopped counts as dead"
! grep died "$work/broker.err" || fail "the broker took a stopped process for dead: $(cat "$work/broker.err")"
stop_broker

# ---- two brokers at once: one serves, the other names it -----------------------------------------------------------------------
for ((i = 0; i < 20; i++)); do
    start first broker
    start second broker
    one=${pids[first]} two=${pids[second]} status=0 loser=
    wait -n -p loser "$one" "$two" || status=$?
    [ $status = 1 ] || fail "round $i: the second broker ended with status $status"
    if [ "$loser" = "$one" ]; then names=(first second); else names=(second first); fi
    unset "pids[${names[0]}]"
    says "${names[0]}.err" "^broker: $MILLRACE_BUS: pid ${pids[${names[1]}]} already serves this bus"
    broker -q stop || fail "round $i: broker stop: exit status $?"
    finish "${names[1]}"
done

# ---- a thousand topics ---------------------------------------------------------------------------------------------------------
room=$(df -k --output=avail /dev/shm | tail -n 1)
topics=1000
[ "$room" -gt 200000 ] || { topics=100 && say "only $topics topics: /dev/shm has $room KiB left"; }
args=()
for ((i = 100; i < topics; i++)); do args+=(-t "topic-$i,size=4k"); done
start_broker -q "${args[@]}"
seq -f 'topic-%.0f' 0 99 | xargs -P 2 -I '{}' broker -q create '{}' --size 4k
[ "$(broker -q -J list | wc -l)" = $topics ] || fail "$(broker -q -J list | wc -l) topics of $topics are listed"
start one consumer -q -c 5 topic-77
seq 5 | producer -q topic-77
finish one
broker status >"$work/status" || fail "status: exit status $?"
shown=$(grep -o '^topic-[0-9]*' "$work/status" | sort -u | wc -l)
[ "$shown" = $topics ] || fail "$shown topics of $topics are in the status"
stop_broker

# ---- a topic's file is removed by hand: the broker says so, and no process waits for ever --------------------------------------------
start_broker
broker -q create gone --size 64k
seq 3 | producer -q gone
start reader consumer -q gone
wait_until "the reader has them" lines "$work/reader.out" 3
start full producer -q "$work/numbers" gone
finish full
start blocked consumer -q -w 1 --delay 1h -g blocked gone
broker -q wait gone --for consumers=2 --timeout 60s
start full producer "$work/numbers" gone
wait_until "the producer waits" has full.err "full; group blocked"
rm "$segment.gone"
ended full 6
ended reader 1
says full.err 'gone: .*the topic was deleted'
says reader.err 'gone: deleted'
says broker.err 'gone: its segment was removed'
kill9 blocked
# Made again before the broker has looked: it looks after the new one.
broker -q create twice --size 64k
start idle consumer -q twice
broker -q wait twice --for consumers=1 --timeout 60s
rm "$segment.twice"
seq 5 | producer -q twice
ended idle 1
seq 10 | producer -q twice
start holder consumer -q -w 5 --delay 1h -f '%o\n' twice
wait_until "the holder has some" lines "$work/holder.out" 1
kill9 holder
wait_until "the new topic is looked after" figure_is twice consumers 0
consumer -q -e -f '%o\n' twice | sort -n | same <(seq 0 14) - "a topic made again"

# ---- the bus's file is removed by hand: the broker says so and ends, the next one goes on with the topics -------------------------
seq 10 | producer -q stays
start attached consumer -q -w 5 --delay 1h -g slow -f '%o\n' stays
wait_until "it has some" lines "$work/attached.out" 1
start idle consumer -q stays
wait_until "it has all" lines "$work/idle.out" 10
start missing consumer missing
wait_until "it waits" has missing.err 'no such topic yet'
rm "$segment"
status=0
wait "$broker_pid" || status=$?
broker_pid=
[ $status = 1 ] || fail "the broker whose bus was removed ended with status $status"
says broker.err "$MILLRACE_BUS: its segment was removed from /dev/shm"
ended missing 3
start_broker
ended idle 1
says idle.err 'is no longer attached'
kill9 attached
consumer -q -e -g slow -f '%o\n' stays | sort -n | same <(seq 0 9) - "what a consumer of the removed bus held"
stop_broker
all_well "rough weather is told, and harms no other topic"
