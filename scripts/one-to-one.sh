#!/bin/bash
# one-to-one.sh - one producer, one consumer: every record arrives, once, in order. Usage: scripts/one-to-one.sh [RECORDS]
. "$(dirname "$0")/lib.sh"
records=${1:-100000}

start_broker
say "A consumer waits for the topic 'numbers', which does not exist yet."
start consumer consumer -f raw numbers
say "A producer reads $records lines from a pipe, then seals the topic."
seq "$records" | producer -q --seal numbers
finish consumer
seq "$records" >"$work/sent"
same "$work/sent" "$work/consumer.out" "what arrived is not what was sent"
say "The consumer: $(tail -n 1 "$work/consumer.err")"
stop_broker
ok "$records records arrived, each once, in the order in which they were sent"
