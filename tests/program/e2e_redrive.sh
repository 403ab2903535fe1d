#!/bin/bash
# e2e_redrive.sh - dead letters go back to their topic: as they were, once, also when `broker redrive` is killed again and again.
. "$(dirname "$0")/../../scripts/lib.sh"
cd "$work"

start_broker
broker -q create t --partitions 3 --size 1M
[[ $(broker redrive t 2>&1) == *" 0 dead letters sent back" ]] || fail "redrive without dead letters"

seq 1 300 | awk '{ print "key" $1 % 7 ":value " $1 }' >rows
producer -q -K : -H colour=blue - t <rows || fail "producer: $?"
status=0
consumer -q -e --tries 1 t -- false || status=$?
[ $status = 7 ] || fail "consumer whose records all die: exit status $status"
consumer -q -g reader -e -f '%p %k %s %T\n' t | sort >before
[ "$(wc -l <before)" = 300 ] || fail "$(wc -l <before) records"

# Killed at a random moment, again and again; at last it is let go on to its end.
for ((i = 0; i < 20; i++)); do
    broker -q redrive t 2>/dev/null &
    redrive=$!
    sleep "0.00$((RANDOM % 10))"
    kill -KILL $redrive 2>/dev/null || :
    wait $redrive 2>/dev/null || :
done
broker -q redrive t || fail "redrive: $?"
[[ $(broker redrive t 2>&1) == *" 0 dead letters sent back" ]] || fail "a second redrive found something"
consumer -q -g reader -e -f '%p %k %s %T\n' t | sort >after
same before after "what came back is not what had died"
[ "$(consumer -q -e -c 1 -f '%h %n\n' t)" = "colour=blue 1" ] || fail "headers or tries of a record that came back"

status=0
broker -q redrive nowhere 2>/dev/null || status=$?
[ $status = 4 ] || fail "redrive of a topic that is not there: exit status $status"
consumer -q -e t >/dev/null || fail "consumer: $?"
stop_broker
ok "300 dead letters went back once, to their partitions, through 20 kills"
