#!/bin/bash
# e2e_consumer.sh - the consumer against its contract: who gets what, where it starts, when it ends, what is acknowledged, exit statuses.
set -u
top=$PWD
PATH=$MILLRACE_BIN:$PATH
cd "${TMPDIR:?}" || exit 1
: "${MILLRACE_BUS:?}"
failures=0

fail() {
    echo "FAIL line ${BASH_LINENO[1]}: $*"
    failures=$((failures + 1))
}
# expect STATUS COMMAND...: its output is left in ./out, its messages in ./err.
expect() {
    local want=$1 got
    shift
    timeout -k 1 20 "$@" >out 2>err
    got=$?
    [ $got = "$want" ] || fail "$*: exit status $got, not $want: $(head -c 500 err)"
}
# says FILE PATTERN: a line of it matches.
says() { grep -qE -- "$2" "$1" || fail "$1 does not say \"$2\": $(head -c 500 "$1")"; }
# holds FILE TEXT: it is exactly that.
holds() { [ "$(cat "$1")" = "$2" ] || fail "$1 is not \"$2\" but: $(head -c 500 "$1")"; }
same() { cmp "$1" "$2" >&2 || fail "$1 and $2 differ"; }
# eventually COMMAND...: within 5 s it succeeds.
eventually() {
    local i
    for ((i = 0; i < 100; i++)); do
        "$@" && return
        sleep 0.05
    done
    fail "not within 5 s: $*"
}
# send TOPIC LINE...
send() {
    local topic=$1
    shift
    printf '%s\n' "$@" | producer -q "$topic" || fail "producer $topic"
}
# ended PID STATUS
ended() {
    wait "$1"
    local got=$?
    [ $got = "$2" ] || fail "exit status $got, not $2"
}
lines() { [ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]; }
# fresh: what an earlier one left must not be taken for what the next one says.
fresh() { rm -f out err first second held; }

# ---- without a broker --------------------------------------------------------------------------------------------------------
expect 3 consumer --wait 0 orders
says err 'no broker on bus "'"$MILLRACE_BUS"'"; start one with: ./broker -b '
expect 3 consumer --wait 700ms orders
says err 'waiting for one'

# ---- the command line --------------------------------------------------------------------------------------------------------
for bad in "" "--nosuch t" "-x t" "-g" "-g a/b t" "../x" "t t" "-o first t" "-c 0 t" "-c x t" "-w 0 t" "--timeout soon t" "-f xml t" "-f %y t" \
    "-J -f json t" "-0 -D x t" "-0 -f csv t" "--strings t" "--all --peek t" "-g a --all t" "-g a --peek t" "--peek --ordered t" \
    "--peek --no-ack t" "-e --drain t" "--peek --drain t" "--no-ack --drain t" "--all -o stored t" "-q -v t" "--progress often t" \
    "--all=yes t" "-D \\q t"; do
    # shellcheck disable=SC2086  # words are meant
    expect 2 consumer $bad
    says err "^Try 'consumer --help'"
    [ -s out ] && fail "consumer $bad: says something on stdout"
done
expect 2 consumer --tiemout 5s t
says err 'did you mean --timeout'
expect 0 consumer --help
[ "$(awk '{ if (length($0) > 80) print }' out)" ] && fail "--help is wider than 80 columns"
says out '^  consumer orders'
expect 0 consumer -V
expect 1 consumer --stats /nosuch/file t
says err '/nosuch/file: No such file'

mkfifo ready
broker --ready-fd 3 3>ready 2>log &
broker=$!
read -r _ <ready

# ---- formats, groups ---------------------------------------------------------------------------------------------------------
printf 'id,name,total\n1,Ann,2.50\n2,"Bob, ""B"" Jr",07\n3,"two\nlines",-1e3\n' >s.csv
producer -q s.csv orders || fail producer
expect 0 consumer -e -f csv orders
same out s.csv
says err '^consumer: 3 records, .*records/s, age p50 .* p99 '
expect 0 consumer -e orders
[ -s out ] && fail "what was acknowledged came again"
expect 0 consumer -e -f csv -q orders
holds out 'id,name,total'
[ -s err ] && fail "-q is not quiet: $(cat err)"
expect 0 consumer -e -g b -f json orders
holds out '{"id":1,"name":"Ann","total":2.50}
{"id":2,"name":"Bob, \"B\" Jr","total":"07"}
{"id":3,"name":"two\nlines","total":-1e3}'
expect 0 consumer -e --all -f json --strings -c 1 orders
holds out '{"id":"1","name":"Ann","total":"2.50"}'
expect 0 consumer -e --peek -J orders
says out '"topic":"orders","partition":0,"offset":2,"ts":[0-9]{19},"key":null,"headers":\{\},"try":1,"value":\{"id":3,'
expect 0 consumer -e --peek -f '%o:%{total}|\n' orders
holds out $'0:2.50|\n1:07|\n2:-1e3|'
expect 2 consumer -e --peek -f '%{price}' orders
says err 'orders: no column "price"; its columns: id,name,total'
expect 0 consumer -e --peek -0 -c 1 orders
[ "$(od -An -c out | tail -c 5)" = '  \0' ] || fail "-0: $(od -c out)"

# ---- where it starts ---------------------------------------------------------------------------------------------------------
send nums 0 1 2 3 4 5 6 7 8 9
for pair in "beginning 0" "TRIM_HORIZON 0" "3 3" "+4 4" "-2 8" "@0 0" "99 "; do
    expect 0 consumer --peek -e -c 1 -o "${pair% *}" nums
    holds out "${pair#* }"
done
expect 0 consumer --peek -e -o end nums
[ -s out ] && fail "-o end gives what was there"
expect 0 consumer -e -c 4 nums
holds out $'0\n1\n2\n3'
expect 0 consumer -e -c 1 nums
holds out 4
expect 0 consumer -e -c 2 -o beginning nums
holds out $'0\n1'
fresh
consumer -q --timeout 10s nums >held 2>&1 &
pid=$!
eventually lines held 8
expect 1 consumer -e -o beginning nums
says err 'other consumers attached'
kill -INT $pid
ended $pid 130
holds held $'2\n3\n4\n5\n6\n7\n8\n9'

# ---- when it ends ------------------------------------------------------------------------------------------------------------
expect 0 consumer --timeout 100ms nums
expect 5 consumer --timeout 100ms -c 1 nums
expect 0 consumer --max-seconds 0.3 nums
expect 4 consumer -e order
says err 'order: no such topic \(did you mean "orders"\?; topics: nums, orders\)'
expect 4 consumer --drain order
expect 4 consumer --timeout 100ms order
for signal in INT TERM HUP; do
    fresh
    consumer nums >out 2>err &
    pid=$!
    eventually grep -qs 'waiting for records' err
    kill -$signal $pid
    ended $pid $((128 + $(kill -l $signal)))
done
send sealed a b
broker seal sealed >/dev/null || fail seal
expect 0 consumer sealed
holds out $'a\nb'
expect 0 consumer sealed

# A topic that comes later, and goes.
fresh
consumer -c 2 later >out 2>err &
pid=$!
eventually grep -qs 'later: no such topic yet, waiting for it (topics: ' err
send later x y
ended $pid 0
holds out $'x\ny'
fresh
consumer -g other -o end later >out 2>err &
pid=$!
eventually grep -qs 'waiting for records' err
broker delete --force later >/dev/null || fail delete
ended $pid 1
says err 'later: deleted'

# --drain: the producer is done and all is acknowledged, by others too.
(echo 1 && sleep 0.7 && echo 2) | producer -q drained &
producer=$!
eventually broker describe drained >/dev/null 2>&1
expect 0 consumer --drain drained
holds out $'1\n2'
says err 'draining: 1 producer attached'
wait $producer
mkfifo feed
producer -q died <feed &
producer=$!
exec 5>feed
echo 1 >&5
eventually broker describe died >/dev/null 2>&1
fresh
consumer --drain died >out 2>err &
pid=$!
eventually lines out 1
kill -KILL $producer
ended $pid 8
says err 'a producer died'
exec 5>&-

# ---- several topics ----------------------------------------------------------------------------------------------------------
send ta a1 a2 a3 a4
send tb b1 b2
expect 0 consumer -e -w 1 ta tb
holds out $'a1\nb1\na2\nb2\na3\na4'
fresh
consumer -c 3 ta tb >out 2>err &
pid=$!
eventually grep -qs 'waiting for records' err
send tb b3 b4 b5 b6
ended $pid 0
holds out $'b3\nb4\nb5'
expect 0 consumer -e ta tb
holds out b6
printf 'id,name\n1,x' >two.csv
producer -q two.csv two || fail producer
expect 1 consumer -e -f csv --peek orders two
says err 'different columns'
says err '^  two: id,name'
producer -q two.csv three || fail producer
expect 0 consumer -e -f csv two three
holds out $'id,name\n1,x\n1,x'

# ---- what is acknowledged ----------------------------------------------------------------------------------------------------
send full 1 2 3
timeout 5 consumer -e full >/dev/full 2>err
[ $? = 1 ] || fail "/dev/full"
says err 'cannot write the output: No space left on device'
timeout 5 consumer -e full 2>err | :
status=${PIPESTATUS[0]}
[ "$status" = 141 ] || [ "$status" = 0 ] || fail "reader gone: $status"
expect 0 consumer -e -g g2 --no-ack full
holds out $'1\n2\n3'
expect 0 consumer -e -g g2 -f '%n %s ' full
holds out '1 1 1 2 1 3 '
# An idle consumer sees that its reader went away.
send pipe 1
timeout 5 consumer pipe 2>err | head -n 1 >out
[ "${PIPESTATUS[0]}" = 141 ] || fail "idle with a reader gone: $(cat err)"
[ -s err ] && grep -v 'waiting for records' err && fail "a broken pipe is no error"
timeout 5 consumer -e -g closed pipe >&- 2>err
[ $? = 141 ] || fail "stdout closed"
expect 0 consumer -e -g closed pipe
holds out 1

# Killed with records in hand: another has them at once, in order.
send kill 1 2 3 4 5
fresh
consumer -w 5 --delay 60s kill >first 2>/dev/null &
pid=$!
eventually lines first 1
consumer -c 5 kill >second 2>/dev/null &
other=$!
kill -KILL $pid
ended $pid 137
ended $other 0
holds second $'1\n2\n3\n4\n5'
# Stopped by a signal: what was written is acknowledged, the rest is given back without blame.
send stop 1 2 3
fresh
consumer -w 3 --delay 60s stop >first 2>/dev/null &
pid=$!
eventually lines first 1
kill -TERM $pid
ended $pid 143
expect 0 consumer -e -f '%s/%n ' stop
holds out '2/1 3/1 '
# A slow consumer takes its time for each record.
send slow 1 2 3
expect 0 consumer -e --delay 200ms --stats figures slow
holds out $'1\n2\n3'
says figures '^\{"records":3,"bytes":6,"filtered":0,"seconds":0\.[6-9].*"age_p50_ns":[0-9]+.*"lost":0,.*"exit":0\}$'

# ---- lost, dead --------------------------------------------------------------------------------------------------------------
broker create ring --size 4k --full drop-oldest >/dev/null || fail create
expect 0 consumer -e ring # the group is there now
seq 10000 | producer -q ring || fail producer
expect 6 consumer -e ring
says err 'ring: missed [0-9]+ records'
[ "$(tail -n 1 out)" = 10000 ] || fail "the newest records are not there"
send poison 1 2
for _ in 1 2 3; do
    fresh
    consumer --delay 60s poison >first 2>/dev/null &
    pid=$!
    eventually lines first 1
    kill -KILL $pid
    wait $pid 2>/dev/null
done
expect 7 consumer -e poison
holds out 2
says err 'poison: 1 record.* poison\.dead'
expect 0 consumer -e -f '%s|%h\n' poison.dead
says out '^1\|'

# ---- many ---------------------------------------------------------------------------------------------------------------------
"$top/scripts/big-csv.sh" 50000 >big.csv
consumer -f csv -q big >big.out &
pid=$!
producer -q --seal big.csv big || fail producer
ended $pid 0
same big.csv big.out
for file in "$top"/data/edge/*.csv; do
    name=edge.$(basename "$file" .csv)
    case $name in edge.bad-*) continue ;; esac
    producer -q --seal "$file" "$name" || { fail "producer $file"; continue; }
    expect 0 consumer -e -f csv "$name"
    same out "$file"
done

broker delete --force poison >/dev/null 2>&1
broker stop >/dev/null 2>&1
wait $broker
broker clean --all >/dev/null 2>&1
if [ "$failures" != 0 ]; then
    echo "$failures failed"
    exit 1
fi
