#!/bin/bash
# e2e_choose.sh - where a consumer starts, when it ends and with which status, what is acknowledged then, and what its figures say; --ordered
# while consumers join, leave and are killed.
# shellcheck disable=SC2015  # wrong returns 0
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"

start_broker

# ---- from --------------------------------------------------------------------------------------------------------------------
send from a b
now=$(date +%s.%N)
send from c d
for pos in "@$now" "@$(date -u -d "@$now" +%Y-%m-%dT%H:%M:%S.%NZ)" 2 +2 -2; do
    expect 0 consumer --peek -e -o "$pos" from
    is out $'c\nd'
done
for pos in beginning earliest TRIM_HORIZON 0 +0 -4 -100 @0 @2020-01-01; do
    expect 0 consumer -g here -e -o "$pos" from
    is out $'a\nb\nc\nd'
done
for pos in end latest LATEST 4 +4 -0 1000 "@$(($(date +%s) + 1000))"; do
    expect 0 consumer -g here -e -o "$pos" from
    is out ''
done
expect 0 consumer -g there -c 1 from
expect 0 consumer -g there -e -o stored from
is out $'b\nc\nd'
# A group that is moved to the end has nothing left, and gets what comes.
send from e
expect 0 consumer -g here -e from
is out e

# ---- until -------------------------------------------------------------------------------------------------------------------
# -e is the end as it was at the start, in a group as well: what comes meanwhile is for others.
send pinned 1 2 3
start pinned consumer -e --delay 300ms pinned
wait_until "the first one" lines pinned.out 1
send pinned 4 5
finish pinned
[ "$(cat pinned.out)" = $'1\n2\n3' ] || wrong "-e went on: $(cat pinned.out)"
expect 0 consumer -e pinned
is out $'4\n5'

# --max-seconds ends also while records come; before -c is reached that is status 5.
mkfifo endless
start endless producer -q -r 500 -i lines endless busy
exec 7>endless
(seq 1 1000000 >&7) 2>/dev/null &
feeder=$!
busy() { [ "$(consumer -q --peek -e -c 1 busy)" ]; }
wait_until "records" busy
for how in "timed 0" "counted 5 -c 1000000"; do
    read -r name status options <<<"$how"
    # shellcheck disable=SC2086  # two words or none
    start "$name" clock turned consumer --stats "$work/figures" $options --max-seconds 500ms busy
    wait_until "$name has some" lines "$name.out" 1
    pass 499ms "$name"
    running "$name" || wrong "$name: ended too early"
    pass 1ms "$name"
    ended "$name" "$status"
    [ "$(wc -l <"$name.out")" = "$(number figures records)" ] || wrong "--max-seconds: $(cat figures)"
done
expect 0 consumer -c 5 --max-seconds 1h busy
[ "$(wc -l <out)" = 5 ] || wrong "-c 5 gives $(wc -l <out)"
exec 7>&-
kill "$feeder" "${pids[endless]}" 2>/dev/null || true
wait "$feeder" "${pids[endless]}" 2>/dev/null || true
unset 'pids[endless]'

# --drain: all are done; one died, after so many rows; none has come; they have not finished in time.
send drained 1 2
expect 0 consumer --drain --stats figures drained
is out $'1\n2'
[ "$(number figures exit)" = 0 ] || wrong "drained: $(cat figures)"
mkfifo feed
start dying producer -q -i lines feed died
exec 6>feed
printf '%s\n' 1 2 3 >&6
start drain consumer --drain --stats figures died
wait_until "three rows" lines drain.out 3
kill -KILL "${pids[dying]}"
exec 6>&-
ended drain 8
wait "${pids[dying]}" 2>/dev/null || true
has drain.err "^consumer: died: a producer died: [a-z]+, pid ${pids[dying]}, after 3 records; what it had not sent is missing" ||
    wrong "--drain: $(cat drain.err)"
[ "$(number figures records) $(number figures exit)" = '3 8' ] || wrong "died: $(cat figures)"
unset 'pids[dying]'
broker -q create waiting
expect 5 clock alone consumer --drain --timeout 800ms waiting
says err 'waiting: draining: no producer has come yet'
says err 'waiting: not drained: no producer has come yet'
start slow producer -q -i lines feed waiting
exec 6>feed
echo 1 >&6
start drain clock turned consumer --drain --max-seconds 700ms waiting
wait_until "it has the record" lines drain.out 1
pass 699ms drain
running drain || wrong "--max-seconds: ended too early"
pass 1ms drain
ended drain 5
is drain.out 1
says drain.err 'waiting: not drained: 1 producer attached, 0 records not acknowledged'
exec 6>&-
finish slow
expect 0 consumer --drain waiting
# It waits for what others of the group have in hand.
send others 1 2 3
start holder consumer -w 2 --delay 400ms others
wait_until "the holder has its first" lines holder.out 1
expect 0 consumer --drain others
[ "$(broker -q -J describe others | grep -o '"lag": *[0-9]*' | grep -o '[0-9]*$')" = 0 ] || wrong "--drain ended before all was acknowledged"
stop_with INT holder 130

# ---- taking ------------------------------------------------------------------------------------------------------------------
# -w is what it holds; the rest is for others. --name is how it is called.
seq 1 10 | producer -q window
start held consumer --name worker-7 -w 3 --no-ack window
wait_until "three are held" lines held.out 3
broker -q pending window | grep -q "worker-7" || broker -q groups window | grep -q 'worker-7' || wrong "--name: $(broker -q groups window)"
expect 0 consumer -q --timeout 300ms window
is out "$(seq 4 10)"
stop_with TERM held 143
[ "$(wc -l <held.out)" = 3 ] || wrong "-w 3 --no-ack gives $(cat held.out)"
expect 0 consumer -q -e -f '%s/%n ' window
is out '1/1 2/1 3/1 '

# ---- what is acknowledged is what was written; the figures, the summary and the output say the same ---------------------------
seq 1 200000 >numbers
producer -q numbers broken || wrong producer
(consumer --stats figures broken 2>err || echo $? >status) | head -n 1 >out
[ "$(cat status)" = 141 ] || wrong "consumer | head -1: $(cat status)"
[ "$(number figures exit)" = 141 ] || wrong "consumer | head -1: $(cat figures)"
[ ! -s err ] || wrong "a reader that had enough is no error: $(cat err)"
taken=$(number figures records)
expect 0 consumer -q -e broken
[ $((taken + $(wc -l <out))) = 200000 ] && [ "$(tail -n 1 out)" = 200000 ] || wrong "head -1: $taken + $(wc -l <out)"
for how in '>/dev/full' '>&-'; do
    send "lost${#how}" 1 2 3
    status=0
    bash -c "exec timeout 60 consumer --stats figures -e 'lost${#how}' $how" 2>err || status=$?
    [ "$how $status" = '>/dev/full 1' ] || [ "$how $status" = '>&- 1' ] || wrong "$how: $status: $(cat err)"
    [ "$how" = '>&-' ] || [ "$(number figures records) $(number figures exit)" = "0 1" ] || wrong "$how: $(cat figures)"
    expect 0 consumer -q -e "lost${#how}"
    is out $'1\n2\n3'
done
# After Ctrl-C, in the midst of it.
producer -q numbers midst || wrong producer
start midst consumer --stats figures -w 10 --delay 1ms midst
wait_until "some" lines midst.out 20
stop_with INT midst 130
taken=$(number figures records)
[ "$taken" -ge 20 ] && [ "$(wc -l <midst.out)" = "$taken" ] && [ "$(number figures bytes)" = "$(wc -c <midst.out)" ] && [ "$(number figures exit)" = 130 ] ||
    wrong "Ctrl-C: $(wc midst.out): $(cat figures)"
has midst.err "^consumer: $(printf "%'d" "$taken") records?, " || wrong "Ctrl-C: $(cat midst.err)"
expect 0 consumer -q -e midst
cat midst.out out | cmp -s - numbers || wrong "Ctrl-C: what is acknowledged is not what was written"

# ---- --ordered ---------------------------------------------------------------------------------------------------------------
expect 0 consumer -q -e -g plain from
expect 1 consumer -e -g plain --ordered from
says err 'from: group plain exists and is not ordered; use another group'
# 8 keys of 150 numbers each, on 4 partitions; all write to one file, each record at once. For each key its numbers come one after the other;
# only the one that a killed consumer had just written may come twice.
broker -q create ordered --partitions 4
for ((i = 1; i <= 150; i++)); do printf "k%s:$i\n" 1 2 3 4 5 6 7 8; done >keyed
take() { start "$1" bash -c 'exec consumer -q --ordered -g o -w 20 --delay 1ms -f "%k %s\n" ordered >>all'; }
for name in a b c; do take $name; done
head -n 400 keyed | producer -q -K : ordered || wrong producer
tail -n +401 keyed | producer -q -K : -r 2000 ordered &
last=$!
n=0
for what in KILL INT KILL TERM KILL KILL INT KILL; do
    n=$((n + 1))
    wait_until "output goes on" lines all $((n * 100))
    set -- a b c
    shift $((n % 3))
    kill -$what "${pids[$1]}"
    wait "${pids[$1]}" 2>/dev/null || true
    take "$1"
done
wait $last || wrong "producer: $?"
broker -q seal ordered
finish a b c
awk '$2 != last[$1] + 1 && !($2 == last[$1] && ++again <= 5) { print $1 ": " $2 " after " last[$1]; exit 1 } { last[$1] = $2 }
    END { for (k = 1; k <= 8; k++) if (last["k" k] != 150) { print "k" k " ends at " last["k" k]; exit 1 } }' all >why || wrong "--ordered: $(cat why)"

# ---- progress: a line at most five times a second, and only when asked for or on a terminal --------------------------------------
seq 40 | producer -q shown || wrong producer
for when in always never auto; do
    expect 0 consumer -e -g $when --progress $when -w 1 --delay 20ms shown
    lines=$(grep -cE '^consumer: [0-9]+ records, [0-9.]+ k?B, [0-9]+/s$' err || true)
    if [ $when = always ]; then
        [ "$lines" -ge 1 ] || wrong "--progress always: $(cat err)"
        seconds=$(sed -n 's/.* in \([0-9.]*\) \(m*s\),.*/\1 \2/p' err | awk '{ print $2 == "ms" ? $1 / 1000 : $1 }')
        awk "BEGIN { exit !($lines <= 5 * $seconds + 2) }" || wrong "--progress always: $lines lines in $seconds s"
    else
        [ "$lines" = 0 ] || wrong "--progress $when: $(cat err)"
    fi
done

all_well "consumers start, end and count as they should, and keep the order of each key"
