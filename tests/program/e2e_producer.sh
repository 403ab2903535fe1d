#!/bin/bash
# e2e_producer.sh - the producer against its contract: what becomes a record, keys, headers, bad rows, limits, pace, waiting, signals, exit
# statuses.
. "$(dirname "$0")/../shared/expect.sh"
printf 'id,name\r\n1,a\r\n2,"b"\r\n' >d.csv
printf '\xef\xbb\xbfid,name\n3,c' >e.csv
printf 'id,other\n9,z\n' >other.csv
seq 1000 >numbers

# ---- without a broker --------------------------------------------------------------------------------------------------------
expect 3 producer --wait 0 d.csv orders
says err "no broker on bus \"$MILLRACE_BUS\"; start one with: broker -b "
expect 3 clock alone producer --wait 700ms --stats stats d.csv orders
[ "$(clock now)" = 700000000 ] || wrong "--wait 700ms took $(clock now) ns"
says err 'waiting for one'
says stats '"records":0,.*"exit":3}'
expect 0 producer -n d.csv orders
says err 'would send 2 records'
expect 0 producer --help
says out '^  producer data.csv orders'
[ "$(awk 'length > 80' out)" = "" ] || wrong "--help is wider than 80 columns"
expect 0 producer -V

# ---- the command line --------------------------------------------------------------------------------------------------------
for line in "" "d.csv" "--nosuch t" "-x t" "t -r" "--seal=1 t" "../x" "d.csv ../x" "-b a/b t" "-r 0 t" "-r 2x t" "-r 1 --delay 1s t" "--jitter 5 t" \
    "--timeout 0 t" "--timeout x t" "--timeout 1s --fail-if-full t" "-i cvs t" "-p 256 t" "-H x t" "- - t" "--repeat 2 - t" "--key-col id t" \
    "-k a -K : t" "-k a --key-col id d.csv t" "--sep ; t" "-D x d.csv t" "--no-header --columns a d.csv t" "--no-header --key-col id d.csv t" \
    "-T --ids t" "-n --seal t" "--bad-rows d.csv d.csv t" "--stats d.csv d.csv t"; do
    # shellcheck disable=SC2086
    expect 2 producer $line </dev/null
    says err "^producer: "
    says err "^Try 'producer --help'"
done
expect 2 producer d.csv ""
expect 2 producer --sael t
says err 'did you mean --seal'
for file in nope.csv "$work"; do
    expect 1 producer d.csv "$file" orders
    says err "^producer: $file: "
done
[ "$(wc -c <d.csv)" = 21 ] || wrong "d.csv was written over"

start_broker

# ---- what becomes a record ---------------------------------------------------------------------------------------------------
expect 0 producer d.csv orders
says err '^producer: created topic orders$'
says err '^producer: orders: 2 records, 8 B in '
expect 0 producer -q e.csv d.csv orders
gives orders 'id,name\r\n1,a\r\n2,"b"\r\n3,c\r\n1,a\r\n2,"b"\r\n'
expect 1 producer other.csv orders
says err 'other.csv: id,other$'
says err 'topic orders: id,name$'
expect 1 producer d.csv other.csv orders2
says err 'other.csv: id,other$'
expect 4 producer --no-create orders2 </dev/null
says err '^producer: orders2: no such topic \(did you mean "orders"\?'
expect 0 producer -q --no-header --skip 1 other.csv orders
gives orders 'id,name\r\n9,z\n'
expect 0 producer -q --columns 'x,y;z' --sep ';' other.csv columns
gives columns 'x;"y;z"\nid,other\n9,z\n'
expect 0 producer -q -i csv standard <d.csv
gives standard 'id,name\r\n1,a\r\n2,"b"\r\n'
expect 0 producer -q lines < <(printf 'a\n\nb\r\nc')
gives lines 'a\n\nb\r\nc'
expect 0 producer -q -D END delimited < <(printf 'aENDbEENDc\nEN')
json delimited '"value":"a"' '"value":"bE"' '"value":"c\\nEN"'
expect 0 producer -q -i file d.csv /dev/null whole
json whole '"value":"id,name\\r\\n1,a\\r\\n2,\\"b\\"\\r\\n"' '"value":""'
expect 0 producer -T -c 5 --repeat 3 d.csv repeated
printf '1,a\r\n2,"b"\r\n1,a\r\n2,"b"\r\n1,a\r\n' | cmp -s - out || wrong "-T printed $(cat out)"
expect 0 producer --ids -c 2 numbers ids
[ "$(cat out)" = "$(printf '0 0\n0 1')" ] || wrong "--ids printed $(cat out)"

# ---- keys, headers, partitions -----------------------------------------------------------------------------------------------
printf 'n,k\n1,"a""b"\n2,\n3,"x,y"\n' >keys.csv
expect 0 producer -q --key-col k keys.csv keys
expect 0 producer -q --key-col 1 -c 1 keys.csv keys
expect 0 producer -q -k fixed -H a=b -H c= -c 1 --no-header --skip 1 keys.csv keys
json keys '"key":"a\\"b"' '"key":""' '"key":"x,y"' '"key":"1"' '"key":"fixed","headers":\{"a":"b","c":""\}'
expect 1 producer --key-col kk keys.csv keys
says err 'no column "kk" \(did you mean "k"\?\)'
expect 0 producer -q -K : split < <(printf 'k:v:w\nplain\n:e\n')
json split '"key":"k",.*"value":"v:w"' '"key":null,.*"value":"plain"' '"key":"",.*"value":"e"'
printf 'k\tv\n5" x\t"y\n' >t.tsv
expect 0 producer -q --key-col v t.tsv tsv
json tsv '"key":"\\"y"'
broker -q create parts --partitions 4
expect 0 producer -q -p 3 -c 2 numbers parts
json parts '"partition":3' '"partition":3'
expect 2 producer -p 4 numbers parts
says err 'no partition 4'

# ---- bad rows and limits -----------------------------------------------------------------------------------------------------
{
    printf 'a,b\n1,2\nx"y,3\r\n"p\nq",4\n"x"y,5\n"open,6\n'
    head -c 200000 /dev/zero | tr '\0' L
    printf '\r\n7,8\n'
} >mixed.csv
{
    sed -n '3p;6,8p' mixed.csv
} >mixed.bad
broker -q create small --size 4096
expect 1 producer mixed.csv small
says err '^producer: mixed.csv: line 3, byte 2: a quote inside'
gives small 'a,b\n1,2\n'
expect 7 producer --bad-rows bad --stats stats mixed.csv small
cmp -s bad mixed.bad || wrong "the bad rows were not kept as they stood"
says err 'line 6, byte 4: text after the closing quote'
says err 'line 7, byte 1: the quote never closes'
says err 'line 8, byte 1: the row is (200000 bytes long; the limit .* is|longer than) 4064'
says stats '"records":3,.*"bad_rows":4,.*"exit":7}'
gives small 'a,b\n1,2\n"p\nq",4\n7,8\n'
expect 7 producer -q --bad-rows skip - small <mixed.csv -i csv
gives small 'a,b\n1,2\n"p\nq",4\n7,8\n'
expect 7 producer --bad-rows skip --key-col 3 --no-header keys.csv short
says err 'keys.csv: line 1, byte 4: the row has 2 columns'

# ---- full, sealed, deleted ---------------------------------------------------------------------------------------------------
broker -q create tiny --size 4096
expect 5 producer --fail-if-full --stats stats numbers tiny
says stats '"records":[1-9][0-9]*,.*"exit":5}'
from=$(clock now)
expect 5 clock alone producer --timeout 700ms numbers tiny
[ $(($(clock now) - from)) = 700000000 ] || wrong "--timeout 700ms took $(($(clock now) - from)) ns"
says err 'tiny: full, and no consumer has come yet'
says err 'full for 700 ms after 0 accepted records'
expect 0 producer -q --seal d.csv sealed
expect 6 producer d.csv sealed
says err 'sealed: the topic is sealed'
for how in "seal room1" "delete room2 --force"; do
    topic=${how#* } topic=${topic%% *}
    broker -q create "$topic" --size 4096
    start full producer numbers "$topic"
    wait_until "$topic is full" grep -q "$topic: full" full.err
    # shellcheck disable=SC2086
    broker -q $how
    ended full 6
done

# handles PID: it has set its handlers for SIGINT and SIGTERM.
handles() { (((16#$(sed -n 's/^SigCgt:\t*//p' "/proc/$1/status") & 0x4002) == 0x4002)); }

# ---- pace, pipes, signals ----------------------------------------------------------------------------------------------------
expect 0 clock sleeps producer --stats stats -r 100 -c 51 numbers pace
says stats '"seconds":0\.500000,'
expect 0 clock sleeps producer --stats stats --delay 20ms -c 11 numbers pace
says stats '"seconds":0\.200000,'
# A row from a pipe is sent at once, not when a batch is full.
mkfifo pipe
exec 4<>pipe
producer -q - piped <pipe 2>err 4>&- &
pids[piped]=$!
echo first >&4
timeout 60 consumer -q -c 1 piped >out || wrong "the first row was held back: $?"
[ "$(cat out)" = first ] || wrong "the pipe gave $(cat out)"
exec 4>&-
finish piped

# A named pipe is waited for, which is said, and a signal ends that as it ends any other wait.
mkfifo fifo
for signal in INT:130 TERM:143; do
    name=${signal%:*} status=${signal#*:}
    for use in "fifo silent" "-i csv fifo silent" "--stats fifo numbers silent" "--bad-rows fifo numbers silent"; do
        rm -f waits.err
        # shellcheck disable=SC2086
        start waits producer $use
        wait_until "it says what it waits for" has waits.err '^producer: fifo: a named pipe'
        stop_with "$name" waits "$status"
        # Also one that comes before it waits.
        # shellcheck disable=SC2086
        start early producer $use
        wait_until "it has its handlers" handles "${pids[early]}"
        stop_with "$name" early "$status"
    done
    rm -f waits.err
    start waits consumer --stats fifo silent
    wait_until "it says what it waits for" has waits.err '^consumer: fifo: a named pipe'
    stop_with "$name" waits "$status"
done
start late producer -q fifo late
printf 'a\nb\n' >fifo
finish late
gives late 'a\nb\n'
start none producer --stats fifo -q - late </dev/null
cat fifo >stats
finish none
says stats '"records":0'
start none producer -q fifo late
: >fifo # a writer that has nothing to say
finish none

# A signal ends the wait for input, a pause, and the wait for room; what was accepted stays, and nothing is sealed.
for signal in INT:130 TERM:143 HUP:129; do
    name=${signal%:*} status=${signal#*:}
    rm -f input.err room.err # of the signal before
    exec 4<>pipe
    producer -v - "input-$name" <pipe 2>input.err 4>&- &
    pids[input]=$!
    wait_until "it reads" grep -q 'read as lines' input.err
    start pause producer -r 0.1 --seal numbers "pause-$name"
    start room producer numbers tiny
    wait_until "a record was sent" broker -q wait "pause-$name" --for exists
    wait_until "it waits for room" has room.err 'tiny: full'
    for what in input pause room; do
        stop_with "$name" "$what" "$status"
    done
    exec 4>&-
    expect 0 producer -q -c 1 numbers "pause-$name"
done

# Who reads -T has gone.
status=0
{ producer -q -T --repeat 1000 numbers tee 2>err || echo $? >status; } | head -n 1 >out
[ "$(cat status)" = 141 ] || wrong "-T into a closed pipe: exit status $(cat status)"
expect 0 producer -q numbers tee # the topic was not harmed

all_well "the producer does what its page says"
