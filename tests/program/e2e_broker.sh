#!/bin/bash
# e2e_broker.sh - the broker against its contract: serving, every command with its exit status, adoption after kill -9, ending, cleaning.
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"
bus=$MILLRACE_BUS

# broker_ended: by itself, with status 0.
broker_ended() {
    local got=0
    wait "$broker_pid" || got=$?
    broker_pid=
    [ $got = 0 ] || wrong "the broker's exit status is $got, not 0: $(cat broker.err)"
}
segments() { (cd /dev/shm && find . -name "millrace.*.$bus*" | wc -l); }
no_segments() { [ "$(segments)" = 0 ]; }

# ---- no broker ----
expect 3 broker ping
expect 3 broker stop
expect 3 broker status
expect 3 broker create orders
says err 'broker -b'
expect 0 broker clean
expect 0 broker --help
says out '^Usage: broker'
[ -z "$(broker --help | awk 'length > 80')" ] || wrong "help is wider than 80 columns"
expect 0 broker --version
for command in create list describe seal purge delete groups lag pending forget-source redrive status wait ping stop clean; do
    expect 0 broker $command --help
    says out "^Usage: broker $command"
done

# ---- wrong usage ----
expect 2 broker statsu
says err 'did you mean "status"'
expect 2 broker top # near to a word that ends the broker
says err 'did you mean "status"'
expect 2 broker urge
! grep -q purge err || wrong "proposes to purge: $(cat err)"
expect 2 broker sotp
says err 'did you mean "stop"'
expect 2 broker --frce
says err 'did you mean --force\?'
expect 2 broker -x
expect 2 broker create
expect 2 broker create a b
expect 2 broker list --force
expect 2 broker create orders --size 12
expect 2 broker create orders --partitions 257
expect 2 broker create orders --full maybe
expect 2 broker --bus
expect 2 broker --all
expect 2 broker -b a.b
expect 2 broker -b "$(printf '%033d' 0)" list
expect 2 broker --mode 999
expect 2 broker --ready-fd 77
expect 2 broker -t ../x
expect 2 broker -t orders,size=1
says err 'size=1'
expect 2 broker -t orders,colour=red
expect 2 broker wait orders --for rain
expect 2 broker wait orders

# ---- serving ----
start_broker -t orders,size=64k,partitions=4 -t small,max-records=5
expect 0 broker ping
says out '^pid [0-9]+, [0-9.]+ ms$'
expect 1 broker
says err "pid $broker_pid already serves"
expect 0 broker list
says out '^orders +4 +64 KiB'
expect 0 broker create extra --size 5M --tries 7 --full drop-oldest
expect 1 broker create extra
expect 0 broker create extra --if-not-exists
expect 0 broker describe extra
says out 'full: drop-oldest'
says out '7 tries'
expect 0 broker describe orders -J
says out '^\{"topic":"orders","state":"open",.*"partitions":\[\{.*\]'
expect 4 broker describe ordres
says err 'did you mean "orders"'
expect 2 broker create ../x
expect 2 broker create ''
expect 2 broker create "$(printf '%0300d' 0)"
expect 1 broker create huge --size 900G
says err 'no room'
expect 0 broker seal small
expect 0 broker list
says out '^small .* sealed$'
expect 0 broker delete extra
expect 4 broker delete extra
expect 0 broker wait orders --for exists
expect 0 broker wait small --for sealed
expect 5 broker wait orders --for sealed --timeout 50ms
expect 5 broker wait nothing --for exists --timeout 50ms
expect 0 broker status
says out "^bus $bus: broker pid $broker_pid"
expect 0 broker status -J
says out '^\{"kind":"topic","topic":"orders"'
expect 0 broker groups
expect 0 broker lag orders
expect 0 broker pending orders
expect 1 broker lag orders missing
expect 0 broker stop
broker_ended
no_segments || wrong "segments are left: $(ls /dev/shm)"
expect 3 broker list

# ---- a topic that cannot be made: nothing stays ----
expect 1 broker -t fine -t huge,size=900G
no_segments || wrong "a failed start leaves segments"

# ---- no auto-create ----
start_broker --no-auto-create
echo a | timeout 60 producer - orders >/dev/null 2>err && wrong "a producer made a topic under --no-auto-create"
expect 4 broker describe orders
kill -TERM "$broker_pid"
broker_ended

# ---- records, groups, lag ----
seq 1 1000 >rows
start_broker -q
expect 0 producer -q - orders <rows
expect 0 broker wait orders --for exists
expect 0 consumer -q -g first -c 400 orders
expect 0 broker lag orders
says out '^orders +first +600 '
expect 0 broker lag orders first --max 600
expect 1 broker lag orders first --max 599
expect 0 broker groups orders -J
says out '"group":"first","topic":"orders","partition":0,"current_offset":400,"log_end_offset":1000,"lag":600'
expect 5 broker wait orders --for drained --timeout 50ms

# A consumer that holds records is shown, holds a delete back, and its records are handed on when it is killed.
start slow consumer -q -g first -w 10 --name slow --delay 1h orders
slow=${pids[slow]}
wait_until "it holds some" eval 'broker pending orders first | grep -q slow'
expect 0 broker pending orders first
says out "^first +0 +400 +409 +$slow +slow +in-hand +400 "
expect 0 broker wait orders --for consumers=1
expect 5 broker wait orders --for consumers=2 --timeout 50ms
expect 1 broker delete orders
says err "$slow"
expect 0 broker status -v
says out "pid $slow \(slow\) for"
kill9 slow
expect 0 consumer -q -g first -e orders
cmp -s out <(seq 401 1000) || wrong "the records of a killed consumer: $(wc -l <out) lines"
broker status -J | grep -q pid || wrong "status -J names no pid"
expect 0 broker wait orders --for drained --timeout 60s

# A full buffer is shown full, a producer that waits as waiting, and a stopped holder as stopped.
expect 0 broker create few --max-records 5
start waits producer -c 9 rows few
wait_until "it is full" figure_is few records_waiting 5
wait_until "it waits" eval 'broker status -J | grep -q "\"topic\":\"few\",\"records\":5,.*\"blocked_ns\":[1-9]"'
start holder consumer -q -w 2 --delay 1h few
wait_until "it holds some" eval 'broker pending few | grep -q in-hand'
expect 0 broker status
says out '^TOPIC +STATE +PARTS +ROOM +FULL +APPENDED +KEPT +WAITING '
says out '^few +open +1 +16 MiB +100 % +5 +5 +5 '
! grep -q stopped out || wrong "who runs is shown as stopped: $(cat out)"
expect 0 broker list
says out '^TOPIC +PARTITIONS +ROOM +APPENDED +KEPT +WAITING '
kill -STOP "${pids[holder]}"
wait_until "it is shown as stopped" eval 'broker pending few | grep -q stopped'
expect 0 broker status
says out "pid ${pids[holder]} \(consumer\) for [0-9.]+ m?s, stopped\$"
wait_until "the producer says so" has "$work/waits.err" "pid ${pids[holder]} .*, and is stopped \(kill -CONT resumes it\)"
kill9 holder
expect 0 consumer -q -c 9 few
ended waits 0
expect 0 broker delete few

# ---- purge ----
expect 0 producer -q - orders <rows
expect 0 broker purge orders
expect 0 broker lag orders first --max 0

# ---- kill -9: traffic goes on, looking goes on, the next adopts ----
expect 0 producer -q - orders <rows
kill_broker
expect 3 broker ping
expect 0 broker status
says out "^bus $bus: no broker"
expect 0 producer -q - orders <rows
expect 0 consumer -q -g first -c 500 orders
start_broker
expect 0 broker lag orders first
says out ' 1500 '

# ---- the end: what is owed stays, and is named ----
kill -TERM "$broker_pid"
broker_ended
says broker.err 'orders: kept: 1500 records .*group first \(1500\).*broker -b .* clean --all'
[ "$(segments)" = 2 ] || wrong "bus and topic should have stayed"
expect 0 broker clean
says out 'left .* orders .*1500 records'
expect 0 broker clean --all --dry-run
says out 'would remove .* orders'
[ "$(segments)" = 2 ] || wrong "a dry run removed something"
expect 0 broker clean --all -J
says out "^\{\"bus\":\"$bus\",\"topic\":\"orders\",\"removed\":true"
no_segments || wrong "clean --all left segments"
expect 0 broker clean --all

# ---- the end: consumers that are attached may finish ----
on_clock turned broker # for it, their time is not over however long they take
start_broker
off_clock
expect 0 producer -q -c 50 - orders <rows
start taking consumer -q -g first --delay 10ms orders
expect 0 broker wait orders --for consumers=1
kill -TERM "$broker_pid"
wait_until "all is acknowledged" broker -q lag orders first --max 0
pass 1s broker
broker_ended
wait "${pids[taking]}" || true
unset "pids[taking]"
cmp -s taking.out <(seq 1 50) || wrong "a consumer at the broker's end: $(wc -l <taking.out) of 50 lines"
no_segments || wrong "an ended broker left segments after its consumer finished"

# ---- a second signal ends the wait ----
on_clock turned broker
start_broker
off_clock
expect 0 producer -q - orders <rows
start taking consumer -q -g first --delay 1h orders
wait_until "it holds some" eval 'broker pending orders | grep -q in-hand'
kill -TERM "$broker_pid"
wait_until "it waits" has broker.err ending
kill -TERM "$broker_pid"
broker_ended
says broker.err 'orders: kept'
expect 0 broker clean --all
says out 'left .*attached'
kill9 taking
expect 0 broker clean --all
no_segments || wrong "clean --all after the last client left segments"

# ---- damaged segments are named, left alone, and removed by --all ----
start_broker -t orders
kill_broker
uid=$(id -u)
truncate -s 100 "/dev/shm/millrace.$uid.$bus.orders"
expect 1 broker list
says err 'orders'
expect 0 broker clean
says out 'left .* orders .*--all removes it'
start_broker
says broker.err 'orders'
expect 0 broker stop
broker_ended
head -c 131072 /dev/zero >"/dev/shm/millrace.$uid.$bus"
expect 1 broker
expect 0 broker clean
[ "$(segments)" = 2 ] || wrong "clean without --all removed a damaged segment"
expect 0 broker clean --all
no_segments || wrong "clean --all left damaged segments"

# ---- detached ----
expect 0 broker -d -t orders
wait_until "it serves" broker ping -q >out
pid=$(sed 's/pid \([0-9]*\).*/\1/' out)
expect 1 broker -d
says err "pid $pid already serves"
kill -STOP "$pid"
expect 3 broker ping
says err 'does not answer'
kill -CONT "$pid"
expect 0 broker stop
wait_until "it is gone" gone "$pid"
no_segments || wrong "a detached broker left segments"

all_well "the broker keeps its contract"
