#!/bin/bash
# e2e_wrong.sh - wrong things get a clear answer, a documented exit status, and do no harm: names, files, a bus without its
# broker, a full /dev/shm, segments of another version, damaged or cut short, another pid namespace, readers that go away,
# interrupted runs. (What a single program does with its own options is in e2e_broker.sh, e2e_producer.sh and e2e_consumer.sh.)
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"

# told PATTERN: a line of ./err matches, and every line names the program that says it.
told() {
    says err "$1"
    ! grep -vqE '^(producer|consumer|broker): |^Try ' err || wrong "a message without its program: $(head -c 500 err)"
}
segment=/dev/shm/millrace.$(id -u).$MILLRACE_BUS
# poke FILE BYTE: the lowest byte of the magic number, which is the layout's version.
poke() { printf %b "\\0$2" | dd of="$1" bs=1 count=1 conv=notrunc status=none; }

# ---- in a file system of its own (see below): /dev/shm is full ---------------------------------------------------------------
if [ "${1:-}" = --full ]; then
    mount -t tmpfs -o size=600k tmpfs /dev/shm
    export MILLRACE_BUS=$MILLRACE_BUS-f # a bus is one of the network namespace, too
    printf 'a,b\n1,2\n' >ab.csv
    seq 20000 >numbers
    start_broker
    expect 1 broker create big --size 16M
    told 'no room for 16 MiB in /dev/shm.*--size'
    expect 1 producer numbers auto
    told '^producer: auto: create: no room left in /dev/shm; .*--size'
    expect 0 broker create small --size 64k
    # To the last byte: what is there goes on working, for its pages were all reserved.
    cat /dev/zero >/dev/shm/fill 2>/dev/null || true
    expect 1 broker create tiny --size 4k
    told 'no room'
    expect 1 producer ab.csv small
    told '^producer: small: header: no room left'
    start numbers consumer -q -c 20000 small
    expect 0 producer -q numbers small
    finish numbers
    same numbers numbers.out "with /dev/shm full, something else came"
    expect 1 broker -b "${MILLRACE_BUS}2"
    told "${MILLRACE_BUS}2: serve: no room left"
    expect 0 broker ping
    expect 0 broker status
    expect 0 broker list
    rm /dev/shm/fill
    expect 0 producer -q ab.csv small
    expect 0 consumer -q -e -f csv small
    same ab.csv out "after /dev/shm was full, something else came"
    expect 0 broker create tiny --size 4k
    # Pages taken out of a segment in use, and no room to put others there.
    expect 0 broker delete small
    expect 0 broker create holes --size 32k
    mkfifo more
    start feeding producer -q more holes
    exec 5>"$work/more"
    echo 1 >&5
    start taking consumer -q holes 5>&-
    wait_until "the record came" test -s taking.out
    # Stopped meanwhile: who looks before the room is gone gets zeros, and finds those wrong instead.
    kill -STOP "${pids[feeding]}" "${pids[taking]}"
    fallocate -p -o 0 -l 1M "/dev/shm/millrace.$(id -u).$MILLRACE_BUS.holes"
    cat /dev/zero >/dev/shm/fill 2>/dev/null || true
    kill -CONT "${pids[feeding]}" "${pids[taking]}"
    echo 2 >&5
    exec 5>&-
    ended feeding 1
    ended taking 1
    grep -q '^producer: holes: .*cut short' feeding.err || wrong "feeding says: $(cat feeding.err)"
    grep -q '^consumer: holes: .*cut short' taking.err || wrong "taking says: $(cat taking.err)"
    expect 0 broker ping
    rm /dev/shm/fill "/dev/shm/millrace.$(id -u).$MILLRACE_BUS.holes"
    stop_broker
    all_well "a full /dev/shm is told, and harms no other topic"
    exit
fi

# ---- a process in another pid namespace (see below) --------------------------------------------------------------------------
if [ "${1:-}" = --elsewhere ]; then
    for command in "producer t" "consumer -e t" "broker" "broker list" "broker create x"; do
        # shellcheck disable=SC2086  # words are meant
        expect 1 $command
        told 'belongs to another pid namespace.*; run this there, or use another bus \(-b NAME\)'
    done
    expect 0 broker clean --all
    grep -q 'left .*another pid namespace' out || wrong "clean says: $(cat out)"
    # With a bus of its own it works.
    export MILLRACE_BUS=$MILLRACE_BUS-n
    start_broker
    seq 5 | producer -q t
    expect 0 consumer -q -e t
    stop_broker
    all_well "another pid namespace is refused"
    exit
fi

# ---- names -------------------------------------------------------------------------------------------------------------------
start_broker
long=$(printf '%0300d' 0)
for name in ../x a/b "" "$long" .hidden 'a b' 'ü'; do
    for command in producer "consumer -e" "consumer -e good" "broker create" "broker describe"; do
        # shellcheck disable=SC2086  # words are meant
        expect 2 $command "$name"
        told '^(producer|consumer|broker): .*(is empty|contains|has a character|is longer|starts with)'
        [ "$(wc -l <err)" -le 3 ] || wrong "$command: a long answer: $(cat err)"
    done
    [ -z "$name" ] || for command in "producer t" "consumer -e t" "broker list"; do
        # shellcheck disable=SC2086
        expect 2 $command -b "$name"
        [ "$name" ] || continue
        told '(contains|has a character|is longer|starts with)'
    done
done
for name in ../x "" "$long"; do
    expect 2 consumer -e -g "$name" t
    told '(is empty|is longer|starts with)'
done
longest=$(printf '%0175d' 0)
seq 3 | producer -q "$longest"
expect 0 consumer -q -e "$longest"
[ "$(wc -l <out)" = 3 ] || wrong "a name of 175 characters gives $(wc -l <out) records"

# ---- files -------------------------------------------------------------------------------------------------------------------
expect 1 producer missing.csv t
told '^producer: missing.csv: No such file or directory$'
expect 1 producer / t
told '^producer: /: Is a directory$'
mkdir folder.csv
expect 1 producer folder.csv t
told '^producer: folder.csv: Is a directory$'
printf 'a\n1\n' >secret.csv
chmod 0 secret.csv
if [ "$(id -u)" != 0 ]; then
    expect 1 producer secret.csv t
    told '^producer: secret.csv: Permission denied$'
elif setpriv --reuid=65534 --clear-groups test -x "$bin/producer"; then
    # Root may read everything, nobody may not. Nobody's bus is another one, too: files come first.
    chmod 755 "$work"
    expect 1 setpriv --reuid=65534 --clear-groups "$bin/producer" secret.csv t
    told '^producer: secret.csv: Permission denied$'
fi
expect 4 broker describe t # none of them made a topic

# ---- two brokers, no broker --------------------------------------------------------------------------------------------------
expect 1 broker
told "^broker: $MILLRACE_BUS: pid $broker_pid already serves this bus"
seq 100 | producer -q t
kill_broker
# The bus is there: what needs no broker works, what needs one says so, and how to start it.
expect 0 consumer -q -e t
expect 0 producer -q secret.csv t -i lines
expect 3 producer --wait 100ms secret.csv other
told "^producer: other: no such topic, and no broker runs that could create it \(start one: broker -b $MILLRACE_BUS\)"
expect 4 consumer -e other
told '^consumer: other: no such topic \((did you|topics)'
expect 3 broker create other
told 'broker -b'
expect 3 broker ping
told 'broker -b'
# A producer that waits for one goes on as soon as it is there.
start other producer -q -i lines secret.csv other
start_broker
finish other
expect 0 consumer -q -e other

# ---- another version of the layout, a damaged file ---------------------------------------------------------------------------
layout=$(sed -n 's/^#define MR_LAYOUT \([0-9]*\)u$/\1/p' "$top/common/core/layout.h")
seq 100 >numbers
expect 0 producer -q numbers v
poke "$segment.v" $((layout + 1))
for command in "producer v" "consumer -e v" "broker describe v"; do
    # shellcheck disable=SC2086
    expect 1 $command
    told '^[a-z]*: v: open: made by another version of Millrace; .*clean --all'
done
poke "$segment.v" "$layout"
poke "$segment" $((layout + 1))
for command in "producer v" "consumer -e v" "broker list" "broker"; do
    # shellcheck disable=SC2086
    expect 1 $command
    told 'made by another version of Millrace; .*clean --all'
done
poke "$segment" "$layout"
expect 0 broker ping
expect 0 consumer -q -e v
same numbers out "after the version was put right, something else came"

seq 100 | producer -q cut
seq 100 | producer -q hole
seq 100 | producer -q noise
truncate -s 8k "$segment.cut"
fallocate --punch-hole -o 1M -l 64k "$segment.hole"
head -c 64 /dev/urandom | dd of="$segment.noise" conv=notrunc status=none
for topic in cut hole noise; do
    for command in producer "consumer -e" "broker describe"; do
        # shellcheck disable=SC2086
        expect 1 $command $topic
        told "^[a-z]*: $topic: open: the shared segment is damaged"
    done
done
expect 0 broker ping
expect 0 consumer -q -e -g again v # the others are not harmed
rm "$segment.cut" "$segment.hole" "$segment.noise"

# Cut short while in use, which no program of ours does: said, not crashed.
mkfifo more
start feeding producer -q more shrunk
exec 5>"$work/more"
echo 1 >&5
start taking consumer -q shrunk 5>&-
wait_until "the record came" test -s taking.out
truncate -s 0 "$segment.shrunk"
echo 2 >&5
exec 5>&-
ended feeding 1
ended taking 1
grep -q '^producer: shrunk: .*cut short' feeding.err || wrong "feeding says: $(cat feeding.err)"
grep -q '^consumer: shrunk: .*cut short' taking.err || wrong "taking says: $(cat taking.err)"
[ "$(cat taking.out)" = 1 ] || wrong "what was cut off came out as: $(od -c taking.out | head -n 3)"
# The broker has it mapped, too, and goes on: it is one topic that is damaged.
expect 0 broker ping
expect 1 broker list
told '^broker: shrunk: open: the shared segment is damaged'
rm "$segment.shrunk"
expect 0 broker list

# ---- another pid namespace, a full /dev/shm: where the system lets us --------------------------------------------------------
seq 5 | producer -q t
if unshare -pf true 2>/dev/null; then
    # The leak check looks for itself in a /proc of its own namespace.
    expect 0 env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" unshare -pf "$top/tests/program/e2e_wrong.sh" --elsewhere
    [ ! -s out ] || tail -n 1 out
    grep -q '^OK' out || wrong "in another pid namespace: $(cat out err)"
else
    say "not tried: another pid namespace (unshare is not allowed)"
fi
expect 0 consumer -q -e t # the other topic still works
if unshare -m true 2>/dev/null; then
    expect 0 unshare -m "$top/tests/program/e2e_wrong.sh" --full
    grep -q '^OK' out || wrong "with /dev/shm full: $(cat out err)"
else
    say "not tried: a full /dev/shm (unshare is not allowed)"
fi

# ---- readers that go away, no room for the output: nothing is lost -----------------------------------------------------------
"$top/scripts/big-csv.sh" 50000 >rows.csv
producer -q --seal rows.csv gone
status=0
{ consumer -f csv gone 2>err || echo $? >status; } | head -n 1 >first
[ "$(cat status)" = 141 ] || wrong "the reader went away: exit status $(cat status)"
[ ! -s err ] || wrong "a broken pipe is no error: $(cat err)"
consumer -q -f csv gone >rest
# Some rows were still in the pipe, which had them; all that come after them are here.
size=$(stat -c %s rest) header=$(head -n 1 rows.csv | wc -c)
tail -c $((size - header)) rows.csv | cmp -s - <(tail -n +2 rest) || wrong "the rest is not the end of the file"
[ $((size + (1 << 20))) -gt "$(stat -c %s rows.csv)" ] || wrong "$(($(stat -c %s rows.csv) - size)) bytes went with the reader"
seq 1000 | producer -q --seal device
status=0
consumer -q device >/dev/full 2>err || status=$?
[ $status = 1 ] || wrong "/dev/full: exit status $status"
told 'cannot write the output: No space left on device'
consumer -q device | same <(seq 1000) - "after /dev/full something was lost"

# ---- interrupted: said what was done, nothing lost, nothing sealed -----------------------------------------------------------
at_work() { [ "$(wc -l <consumer.out)" -gt 9 ] && [ "$(consumer -q --peek -e "$1" 2>/dev/null | wc -l)" -gt 9 ]; }
seq 100000 >many # at 1 ms each, more than the test lasts
for signal in INT:130 TERM:143; do
    name=${signal%:*} status=${signal#*:}
    seq 1000 | producer -q "stop-$name"
    start consumer consumer --delay 1ms "stop-$name"
    start producer producer --delay 1ms many "stopped-$name"
    wait_until "both are at work" at_work "stopped-$name"
    kill "-$name" "${pids[consumer]}" "${pids[producer]}"
    ended consumer "$status"
    ended producer "$status"
    said=$(sed -n 's/^consumer: \([0-9,]*\) records.*/\1/p' consumer.err)
    [ "${said//,/}" = "$(wc -l <consumer.out)" ] || wrong "$(wc -l <consumer.out) records, but it says: $(cat consumer.err)"
    consumer -q -e "stop-$name" >rest
    cat consumer.out rest | same <(seq 1000) - "interrupted by $name: something was lost, or came twice"
    said=$(sed -n 's/^producer: .*: \([0-9,]*\) records\{0,1\}, .*/\1/p' producer.err)
    consumer -q -e "stopped-$name" >rest
    [ "${said//,/}" = "$(wc -l <rest)" ] || wrong "$(wc -l <rest) records arrived, but it says: $(cat producer.err)"
    head -n "$(wc -l <rest)" many | same - rest "interrupted by $name: not the first rows"
done

stop_broker
all_well "wrong things get clear answers"
