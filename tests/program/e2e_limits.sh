#!/bin/bash
# e2e_limits.sh - a program that has run into a limit of its own (memory, descriptors, the size of files) says so, with the way out; it takes
# nothing for empty, finished or gone, and deletes nothing.
# not under SAN=address: it reserves more address space than any limit here leaves
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"
segment=/dev/shm/millrace.$(id -u).$MILLRACE_BUS

# ./with OPTION N COMMAND...: under that ulimit.
# shellcheck disable=SC2016  # expanded by the script that is written
printf '%s\n' '#!/bin/bash' 'ulimit "$1" "$2" && shift 2 && exec "$@"' >with
chmod +x with

# ---- memory ------------------------------------------------------------------------------------------------------------------
# The rings take 2 x 32 MiB of addresses, more than the rest of the program.
start_broker -t t,size=32M
seq 99990 | producer -q t
expect 0 consumer -q -g g -c 10 t
start holder consumer -q -g g -w 20 --delay 1h t # dead, it leaves a claim, whose records have to be read to be counted
wait_until "it holds some" eval 'broker pending t | grep -q in-hand'
kill9 holder
kill_broker
for command in "status" "list" "describe t" "lag t --max 0" "lag t" "groups" "pending t" "wait t --for drained --timeout 5s" \
    "wait t --for consumers=1 --timeout 5s" "clean" "clean --all" "clean --dry-run"; do
    # shellcheck disable=SC2086  # words are meant
    expect 1 ./with -v 50000 broker $command
    says err '^broker: .*out of memory; raise the limit \(ulimit -v\)'
done
[ -e "$segment.t" ] || wrong "clean removed a topic that it could not look at"
expect 0 broker lag t g --max 99980
expect 1 broker lag t g --max 99979
expect 0 broker wait t --for exists --timeout 5s

# The broker's end, too: what it cannot look at is kept.
mkfifo "$work/ready"
./with -v 50000 broker --ready-fd 3 3>"$work/ready" 2>broker.err &
broker_pid=$!
read -r -t 30 _ <"$work/ready" || wrong "no broker under ulimit -v: $(cat broker.err)"
rm "$work/ready"
kill -TERM "$broker_pid"
wait "$broker_pid" || wrong "the broker's exit status is $?"
broker_pid=
says broker.err '^broker: t: kept: out of memory; raise the limit \(ulimit -v\)'
[ -e "$segment.t" ] || wrong "the broker removed a topic that it could not look at"
expect 0 consumer -q -g g -e t
[ "$(wc -l <out)" = 99980 ] || wrong "$(wc -l <out) records are left, not 99980"

# ---- descriptors ---------------------------------------------------------------------------------------------------------------
seq 10 | producer -q t
for command in "status" "list" "lag t" "clean" "clean --all" "wait t --for drained --timeout 5s"; do
    # shellcheck disable=SC2086
    expect 1 ./with -n 4 broker $command # the fourth is the bus's, and must be there for the C library first
    says err '^broker: .*too many open files; raise the limit \(ulimit -n\)'
done
[ -e "$segment.t" ] || wrong "clean removed a topic without being able to look at it"
expect 0 broker clean --all

# ---- the size of files -----------------------------------------------------------------------------------------------------------
expect 1 ./with -f 8 broker
says err '^broker: .*larger than the limit for files; raise it \(ulimit -f\)'
mkfifo "$work/ready"
truncate -s 4M messages # where what the broker says has no room
./with -f 4096 broker --ready-fd 3 3>"$work/ready" 2>>messages &
broker_pid=$!
read -r -t 30 _ <"$work/ready" || wrong "no broker under ulimit -f"
rm "$work/ready"
expect 1 broker create big --size 16M
says err '^broker: big: .*larger than the limit for files; raise it \(ulimit -f\), also for the broker'
seq 3 >rows
expect 1 producer - big <rows
says err '^producer: big: create: larger than the limit for files'
expect 0 broker create small --size 64k
expect 0 producer -q - small <rows
# Also of who makes a segment or a part of one without the broker: dead letters, a header line.
printf 'a,b\n1,2\n' >ab.csv
expect 1 ./with -f 100 producer ab.csv small
says err '^producer: small: header: larger than the limit for files'
expect 0 producer -q ab.csv small
expect 1 ./with -f 8 consumer -e --tries 1 --on-fail dead small -- false
says err '^consumer: small.dead: did not take .*larger than the limit for files; raise it \(ulimit -f\)'
sent() {
    timeout 20 consumer -q -e --tries 1 --on-fail dead small -- false || true
    figure_is small.dead records_in 4
}
wait_until "what is kept is sent once it can be" sent
expect 0 broker ping
for topic in small small.dead; do expect 0 broker delete $topic; done
stop_broker
all_well "a limit is an error with a name, and what cannot be looked at stays"
