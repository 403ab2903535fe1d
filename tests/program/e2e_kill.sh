#!/bin/bash
# e2e_kill.sh - kill -9 of a consumer, of the broker, of a producer, and of all of them at random: what a dead consumer held
# goes to another at once, a dead producer's rows are whole or absent, a new broker goes on where the old one stopped, and
# nothing is lost.
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"
seed=${SEED:-$RANDOM}
RANDOM=$seed
say "seed $seed"


both_hold() { lines "$work/holder.out" 1 && lines "$work/private.out" 1; }
# more_records RECORDS: so many have come to the storm, or a producer is done.
more_records() { [ "$(figure storm records_in)" -gt "$1" ] || ! running feed.0 || ! running feed.1; }

start_broker

# ---- a consumer that holds records: the next one has them at once, and only the one in hand is blamed -----------
# By a clock that goes on only when told to. A broker tells of the death, so it takes no time; without one it takes a look, 50 ms.
for broker in "a broker" "no broker"; do
    topic=held-${broker%% *}
    rm -f "$work/holder.out" "$work/other.out" # of the round before, or what is waited for is there already
    seq 0 999 | producer -q "$topic"
    start holder consumer -q -w 600 --delay 1h -f '%o\n' "$topic"
    wait_until "the holder has its records" lines "$work/holder.out" 1
    start other clock turned consumer -q -w 2000 -f '%o %n\n' "$topic"
    wait_until "the other has the rest" lines "$work/other.out" 400
    if [ "$broker" = "no broker" ]; then
        kill_broker
        pass 500ms other # it has noticed
        pass 49ms other
    fi
    kill9 holder
    [ "$broker" = "a broker" ] || pass 1ms other
    wait_until "the other has all" lines "$work/other.out" 1000
    stop_turned TERM other 143
    { seq -f '%.0f 1' 600 999 && echo 0 2 && seq -f '%.0f 1' 1 599; } |
        same - "$work/other.out" "with $broker: not the record in hand first, then the rest"
done

# ---- the broker is dead: traffic goes on, the next one adopts what is there, and deaths that happened meanwhile --------------
start_broker
broker -q create traffic --size 64k
broker -q create mourned --size 64k
seq 50000 >"$work/numbers"
kill_broker
start traffic consumer -q -c 50000 traffic
producer -q "$work/numbers" traffic || fail "a producer without a broker: exit status $?"
finish traffic
same "$work/numbers" "$work/traffic.out" "without a broker something else came"

seq 0 99 | producer -q mourned
mkfifo "$work/more"
start producer producer -q "$work/more" mourned
exec 5>"$work/more"
echo 100 >&5
rm -f "$work/holder.out" "$work/private.out"
start holder consumer -q --delay 1h -f '%o\n' mourned 5>&-
start private consumer -q --delay 1h --all -f '%o\n' mourned 5>&-
wait_until "both hold something" both_hold
wait_until "the last row arrived" figure_is mourned records_in 101
kill9 holder
kill9 private
kill9 producer
exec 5>&-
start_broker
wait_until "the dead members are gone" figure_is mourned consumers 0
wait_until "the dead producer is noted" figure_is mourned producers 0
[ "$(figure mourned producers_died)" = 1 ] || fail "a producer died, but: $(broker -J describe mourned)"
[ "$(broker -q -J groups mourned | wc -l)" = 1 ] || fail "the private group is still there: $(broker groups mourned)"
consumer -q -e -f '%o %n\n' mourned >"$work/inherited"
{ echo 0 2 && seq -f '%.0f 1' 1 100; } | same - "$work/inherited" "the new broker's consumer got something else"
start other consumer -q --drain mourned
ended other 8
producer -q --seal "$work/numbers" fresh || fail "the new broker creates no topic: exit status $?"
consumer -q -e fresh | same "$work/numbers" - "the new broker's topic gives something else"

# ---- a private group whose consumer is killed holds no producer up ----------------------------------------------------------------
for broker in "a broker" "no broker"; do
    topic=private-${broker%% *}
    broker -q create "$topic" --size 64k
    # Keeps what came: the group that has to see all of it.
    start reader consumer -q "$topic"
    rm -f "$work/private.out"
    start private consumer -q --delay 1h --all "$topic"
    broker -q wait "$topic" --for consumers=2 --timeout 60s
    [ "$broker" = "a broker" ] || kill_broker
    start producer producer "$work/numbers" "$topic"
    wait_until "the producer says who holds it up" grep -q "full; group .* pid ${pids[private]} .*has held it" "$work/producer.err"
    kill9 private
    finish producer
    broker -q seal "$topic"
    finish reader
    same "$work/numbers" "$work/reader.out" "$topic: something else came"
done
start_broker

# ---- a producer, at many moments: its rows up to some row, all whole ---------------------------------------------------------
"$top/scripts/big-csv.sh" 200000 >"$work/rows.csv"
early=0
for ((i = 0; i < 30; i++)); do
    topic=torn-$i
    broker -q create $topic --size 256k
    start producer producer -q "$work/rows.csv" $topic
    start reader consumer -q -c $((1 + RANDOM * 6)) -f csv $topic
    # Here the producer goes on until the topic is full, or the next blow.
    finish reader
    kill9 producer
    start rest consumer -q --drain -f csv $topic
    ended rest 8
    tail -n +2 "$work/rest.out" >>"$work/reader.out"
    size=$(stat -c %s "$work/reader.out")
    cmp -s "$work/rows.csv" "$work/reader.out" || early=$((early + 1))
    cmp -n "$size" "$work/rows.csv" "$work/reader.out" || fail "$topic: not the first rows of the file"
    # The copy ends where a row ends: the rest of the file begins with a row.
    tail -c +$((size + 1)) "$work/rows.csv" | head -n 1 | grep -qE '^$|^[0-9]+,user-' || fail "$topic: ends within a row"
    grep -q 'a producer died' "$work/rest.err" || fail "not a word of the dead producer: $(cat "$work/rest.err")"
    broker -q delete $topic
done
[ $early -gt 20 ] || fail "only $early of 30 producers were killed before they were done"

# ---- everything at random ----------------------------------------------------------------------------------------------------
# 2 producers at a time and 3 consumers, each killed and replaced. A producer goes on with rows of its own: "producer number".
# Rows that came must be the first ones of their producer, all of them if it was not killed; twice came at most what dead
# consumers held.
window=50 kills=0 consumers=0 producers=0
killed=()
broker -q create storm --size 64k --tries 1000
new_consumer() {
    : >"$work/storm.$consumers.out" # it may be killed before it has a file
    start "storm.$consumers" consumer -q -w $window storm
    taking[$1]=$((consumers++))
}
new_producer() {
    seq -f "$producers %.0f" 50000 >"$work/sent.$producers"
    start "feed.$1" producer -q -r 100k "$work/sent.$producers" storm
    feeding[$1]=$((producers++))
}
feeding=() taking=()
for i in 0 1 2; do new_consumer $i; done
for i in 0 1; do new_producer $i; done
for ((blow = 0; blow < ${STORM_BLOWS:-75}; blow++)); do
    # The next blow falls when some more records have arrived, or a producer is done.
    wait_until "traffic" more_records $(($(figure storm records_in) + RANDOM % 5000))
    for i in 0 1; do
        if ! running feed.$i; then
            finish feed.$i
            new_producer $i
        fi
    done
    case $((RANDOM % 8)) in
    0)
        kill_broker
        start_broker
        ;;
    1 | 2)
        i=$((RANDOM % 2))
        kill9 feed.$i
        killed[feeding[i]]=1
        new_producer $i
        ;;
    *)
        i=$((RANDOM % 3))
        kill9 "storm.${taking[i]}"
        kills=$((kills + 1))
        new_consumer $i
        ;;
    esac
done
finish feed.0 feed.1
broker -q seal storm
for i in 0 1 2; do finish "storm.${taking[i]}"; done
# What a consumer wrote last when it was killed may be half a line.
for ((i = 0; i < consumers; i++)); do
    sed -n '$!p' "$work/storm.$i.out"
    tail -c 1 "$work/storm.$i.out" | od -An -c | grep -q '\\n' && tail -n 1 "$work/storm.$i.out"
done >"$work/came"
sort -u "$work/came" >"$work/came.once"
for ((i = 0; i < producers; i++)); do
    grep "^$i " "$work/came.once" | sort -k 2,2n >"$work/of" || true
    count=$(wc -l <"$work/of")
    head -n "$count" "$work/sent.$i" | same - "$work/of" "producer $i (${killed[i]:+killed}): not its first rows"
    [ "${killed[i]:-}" ] || [ "$count" = 50000 ] || fail "producer $i was not killed, but only $count of its rows came"
done
twice=$(($(wc -l <"$work/came") - $(wc -l <"$work/came.once")))
[ $twice -le $((kills * window)) ] || fail "$twice records came twice, $kills consumers with $window each were killed"

stop_broker
all_well "killed: consumers, brokers, producers ($kills consumers and ${#killed[@]} of $producers producers at random," \
    "$(wc -l <"$work/came.once") records, $twice twice): nothing lost"
