#!/bin/bash
# e2e_consumer.sh - the consumer against its contract: who gets what, where it starts, when it ends, what is acknowledged, exit statuses.
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"


# ---- without a broker --------------------------------------------------------------------------------------------------------
expect 3 consumer --wait 0 orders
says err 'no broker on bus "'"$MILLRACE_BUS"'"; start one with: broker -b '
expect 3 clock alone consumer --wait 700ms orders
[ "$(clock now)" = 700000000 ] || wrong "--wait 700ms took $(clock now) ns"
says err 'waiting for one'

# ---- the command line --------------------------------------------------------------------------------------------------------
for bad in "" "--nosuch t" "-x t" "-g" "-g a/b t" "../x" "t t" "-o first t" "-c 0 t" "-c x t" "-w 0 t" "--timeout soon t" "-f xml t" "-f %y t" \
    "-J -f json t" "-0 -D x t" "-0 -f csv t" "--strings t" "--all --peek t" "-g a --all t" "-g a --peek t" "--peek --ordered t" \
    "--peek --no-ack t" "-e --drain t" "--peek --drain t" "--no-ack --drain t" "--all -o stored t" "-q -v t" "--progress often t" \
    "--all=yes t" "-D \\q t"; do
    # shellcheck disable=SC2086  # words are meant
    expect 2 consumer $bad
    says err "^Try 'consumer --help'"
    [ -s out ] && wrong "consumer $bad: says something on stdout"
done
expect 2 consumer --tiemout 5s t
says err 'did you mean --timeout'
expect 0 consumer --help
[ "$(awk '{ if (length($0) > 80) print }' out)" ] && wrong "--help is wider than 80 columns"
says out '^  consumer orders'
expect 0 consumer -V
expect 1 consumer --stats /nosuch/file t
says err '/nosuch/file: No such file'

start_broker

# ---- formats, groups ---------------------------------------------------------------------------------------------------------
printf 'id,name,total\n1,Ann,2.50\n2,"Bob, ""B"" Jr",07\n3,"two\nlines",-1e3\n' >s.csv
producer -q s.csv orders || wrong producer
expect 0 consumer -e -f csv orders
cmp out s.csv || wrong "-f csv gives another file"
says err '^consumer: 3 records, .*records/s, age p50 .* p99 '
expect 0 consumer -e orders
[ -s out ] && wrong "what was acknowledged came again"
expect 0 consumer -e -f csv -q orders
is out 'id,name,total'
[ -s err ] && wrong "-q is not quiet: $(cat err)"
expect 0 consumer -e -g b -f json orders
is out '{"id":1,"name":"Ann","total":2.50}
{"id":2,"name":"Bob, \"B\" Jr","total":"07"}
{"id":3,"name":"two\nlines","total":-1e3}'
expect 0 consumer -e --all -f json --strings -c 1 orders
is out '{"id":"1","name":"Ann","total":"2.50"}'
expect 0 consumer -e --peek -J orders
says out '"topic":"orders","partition":0,"offset":2,"ts":[0-9]{19},"key":null,"headers":\{\},"try":1,"value":\{"id":3,'
expect 0 consumer -e --peek -f '%o:%{total}|\n' orders
is out $'0:2.50|\n1:07|\n2:-1e3|'
expect 2 consumer -e --peek -f '%{price}' orders
says err 'orders: no column "price"; its columns: id,name,total'
expect 0 consumer -e --peek -0 -c 1 orders
[ "$(od -An -c out | tail -c 5)" = '  \0' ] || wrong "-0: $(od -c out)"

# ---- where it starts ---------------------------------------------------------------------------------------------------------
send nums 0 1 2 3 4 5 6 7 8 9
for pair in "beginning 0" "TRIM_HORIZON 0" "3 3" "+4 4" "-2 8" "@0 0" "99 "; do
    expect 0 consumer --peek -e -c 1 -o "${pair% *}" nums
    is out "${pair#* }"
done
expect 0 consumer --peek -e -o end nums
[ -s out ] && wrong "-o end gives what was there"
expect 0 consumer -e -c 4 nums
is out $'0\n1\n2\n3'
expect 0 consumer -e -c 1 nums
is out 4
expect 0 consumer -e -c 2 -o beginning nums
is out $'0\n1'
start held consumer -q --timeout 60s nums
wait_until "it has them" lines held.out 8
expect 1 consumer -e -o beginning nums
says err 'other consumers attached'
stop_with INT held 130
is held.out $'2\n3\n4\n5\n6\n7\n8\n9'

# ---- when it ends ------------------------------------------------------------------------------------------------------------
# takes TIME STATUS OPTION...: so long it waits for what does not come.
takes() {
    local ns=$1 status=$2 from
    shift 2
    from=$(clock now)
    expect "$status" clock alone consumer "$@"
    [ $(($(clock now) - from)) = "$ns" ] || wrong "consumer $*: took $(($(clock now) - from)) ns, not $ns"
}
takes 100000000 0 --timeout 100ms nums
takes 7777000000 5 --timeout 7777ms -c 1 nums
takes 300000000 0 --max-seconds 0.3 nums
takes 300000000 0 --timeout 500ms --max-seconds 0.3 nums
expect 4 consumer -e order
says err 'order: no such topic \(did you mean "orders"\?; topics: nums, orders\)'
expect 4 consumer --drain order
expect 4 consumer --timeout 100ms order
for signal in INT TERM HUP; do
    start waits consumer nums
    wait_until "it says that it waits" has waits.err 'waiting for records'
    stop_with $signal waits $((128 + $(kill -l $signal)))
done
send sealed a b
broker seal sealed >/dev/null || wrong seal
expect 0 consumer sealed
is out $'a\nb'
expect 0 consumer sealed

# A topic that comes later, and goes.
start later consumer -c 2 later
wait_until "it says that it waits" has later.err 'later: no such topic yet, waiting for it \(topics: '
send later x y
ended later 0
is later.out $'x\ny'
start later consumer -g other -o end later
wait_until "it says that it waits" has later.err 'waiting for records'
broker delete --force later >/dev/null || wrong delete
ended later 1
says later.err 'later: deleted'

# --drain: the producer is done and all is acknowledged, by others too.
mkfifo slow
start producer producer -q -i lines slow drained
exec 5>slow
echo 1 >&5
wait_until "the topic is there" broker -q wait drained --for exists --timeout 60s
start drain consumer --drain drained 5>&-
wait_until "it says that it waits" has drain.err 'draining: 1 producer attached'
echo 2 >&5
exec 5>&-
ended drain 0
is drain.out $'1\n2'
ended producer 0
mkfifo feed
start producer producer -q -i lines feed died
exec 5>feed
echo 1 >&5
wait_until "the topic is there" broker -q wait died --for exists --timeout 60s
start drain consumer --drain died
wait_until "it has its record" lines drain.out 1
kill9 producer
ended drain 8
says drain.err 'a producer died'
exec 5>&-

# ---- several topics ----------------------------------------------------------------------------------------------------------
send ta a1 a2 a3 a4
send tb b1 b2
expect 0 consumer -e -w 1 ta tb
is out $'a1\nb1\na2\nb2\na3\na4'
start both consumer -c 3 ta tb
wait_until "it says that it waits" has both.err 'waiting for records'
send tb b3 b4 b5 b6
ended both 0
is both.out $'b3\nb4\nb5'
expect 0 consumer -e ta tb
is out b6
printf 'id,name\n1,x' >two.csv
producer -q two.csv two || wrong producer
expect 1 consumer -e -f csv --peek orders two
says err 'different columns'
says err '^  two: id,name'
producer -q two.csv three || wrong producer
expect 0 consumer -e -f csv two three
is out $'id,name\n1,x\n1,x'

# ---- what is acknowledged ----------------------------------------------------------------------------------------------------
send full 1 2 3
status=0
timeout 60 consumer -e full >/dev/full 2>err || status=$?
[ $status = 1 ] || wrong "/dev/full: $status"
says err 'cannot write the output: No space left on device'
timeout 60 consumer -e full 2>err | :
status=${PIPESTATUS[0]}
[ "$status" = 141 ] || [ "$status" = 0 ] || wrong "reader gone: $status"
expect 0 consumer -e -g g2 --no-ack full
is out $'1\n2\n3'
expect 0 consumer -e -g g2 -f '%n %s ' full
is out '1 1 1 2 1 3 '
# An idle consumer sees that its reader went away.
send pipe 1
timeout 60 consumer pipe 2>err | head -n 1 >out
[ "${PIPESTATUS[0]}" = 141 ] || wrong "idle with a reader gone: $(cat err)"
[ -s err ] && grep -v 'waiting for records' err && wrong "a broken pipe is no error"
status=0
timeout 60 consumer -e -g closed pipe >&- 2>err || status=$?
[ $status = 1 ] || wrong "stdout closed: $status"
says err '^consumer: standard output: Bad file descriptor$'
expect 0 consumer -e -g closed pipe
is out 1

# A private group has no name that another could join it by, and none is recommended.
for name in private:1:1 "private:$$:2"; do
    expect 2 consumer -e -g "$name" pipe
    says err "^consumer: -g $name: bad name of a group: has a character other than"
done
broker -q create narrow --size 4k
start alone consumer --all narrow
wait_until "it waits" has alone.err 'narrow: waiting for records'
kill -STOP "${pids[alone]}"
seq 1000 >thousand
start full producer thousand narrow
wait_until "it says what it waits for" has full.err 'narrow: full; '
says full.err "^producer: narrow: full; the private group of pid ${pids[alone]} does not take the next records, because it is stopped \(kill -CONT resumes it\); waiting\$"
kill -CONT "${pids[alone]}"
finish full
wait_until "all came" lines alone.out 1000
stop_with INT alone 130

# Killed with records in hand: another has them at once, in order.
send kill 1 2 3 4 5
start first consumer -w 5 --delay 60s kill
wait_until "it has its first" lines first.out 1
start second consumer -c 5 kill
stop_with KILL first 137
ended second 0
is second.out $'1\n2\n3\n4\n5'
# Stopped by a signal: what was written is acknowledged, the rest is given back without blame.
send stop 1 2 3
start first consumer -w 3 --delay 60s stop
wait_until "it has its first" lines first.out 1
stop_with TERM first 143
expect 0 consumer -e -f '%s/%n ' stop
is out '2/1 3/1 '
# A slow consumer takes its time for each record.
send slow 1 2 3
expect 0 clock sleeps consumer -e --delay 200ms --stats figures slow
is out $'1\n2\n3'
says figures '^\{"records":3,"bytes":6,"filtered":0,"seconds":0\.600000000,"records_per_second":5\.0,.*"age_p50_ns":[0-9]+.*"lost":0,.*"exit":0\}$'

# ---- lost, dead --------------------------------------------------------------------------------------------------------------
broker create ring --size 4k --full drop-oldest >/dev/null || wrong create
expect 0 consumer -e ring # the group is there now
seq 10000 | producer -q ring || wrong producer
expect 6 consumer -e ring
says err 'ring: missed [0-9]+ records'
[ "$(tail -n 1 out)" = 10000 ] || wrong "the newest records are not there"
broker create peeked --size 4k --full drop-oldest >/dev/null || wrong create
send peeked first
start peeking consumer --peek -o beginning peeked
wait_until "it has the first" lines peeking.out 1
kill -STOP "${pids[peeking]}"
seq 10000 | producer -q --seal peeked || wrong producer
kill -CONT "${pids[peeking]}"
status=0
wait "${pids[peeking]}" || status=$?
unset "pids[peeking]"
[ "$status" = 6 ] || wrong "--peek that was overtaken ended with $status, not 6"
says peeking.err 'peeked: missed [0-9]+ records'
send poison 1 2
for _ in 1 2 3; do
    start first consumer --delay 60s poison
    wait_until "it has its first" lines first.out 1
    kill9 first
done
expect 7 consumer -e poison
is out 2
says err 'poison: 1 record.* poison\.dead'
expect 0 consumer -e -f '%s|%h\n' poison.dead
says out '^1\|'

# ---- many ---------------------------------------------------------------------------------------------------------------------
"$top/scripts/big-csv.sh" 50000 >big.csv
start big consumer -f csv -q big
producer -q --seal big.csv big || wrong producer
ended big 0
cmp big.csv big.out || wrong "big.csv came back as another file"
for file in "$top"/data/edge/*.csv; do
    name=edge.$(basename "$file" .csv)
    case $name in edge.bad-*) continue ;; esac
    producer -q --seal "$file" "$name" || { wrong "producer $file"; continue; }
    expect 0 consumer -e -f csv "$name"
    cmp out "$file" || wrong "$file came back as another file"
done

all_well "the consumer keeps its contract"
