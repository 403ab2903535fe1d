#!/bin/bash
# one-to-one.sh - one producer, one consumer: every record arrives, once, in order.
# Usage: scripts/one-to-one.sh [RECORDS]
. "$(dirname "$0")/lib.sh"
records=${1:-100000}

begin_broker
step "A consumer waits for the topic 'numbers', which does not exist yet."
begin consumer consumer -f raw numbers
step "A producer reads $records lines from a pipe. It makes the topic, and seals it at the end."
show "seq $records | producer --seal numbers"
seq "$records" | producer --seal numbers 2>&1 | indent
finish consumer
seq "$records" >"$work/sent"
same "$work/sent" "$work/consumer.out" "what arrived is not what was sent"
step "The consumer has ended by itself. It printed, and at last said:"
head -n 3 "$work/consumer.out" | indent
say "    ..."
tail -n 1 "$work/consumer.err" | indent
notice "a sealed topic ends its consumers once they have read all of it."
stop_broker
ok "$records records arrived, each once, in the order in which they were sent"
