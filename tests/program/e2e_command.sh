#!/bin/bash
# e2e_command.sh - consumer TOPIC -- COMMAND: what a command gets, what its end means for its records, what is refused, signals.
# not under SAN=thread: that makes a fork of vfork, so that what keeps a command from starting is not known; e2e_into.sh runs there
# shellcheck disable=SC2015,SC2016  # "$x" is for the command's shell; wrong returns 0
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"

# owes TOPIC N: the group default has not acknowledged so many.
owes() { [ "$(broker -q -J lag "$1" default | grep -o '"lag": *[0-9]*' | grep -o '[0-9]*$')" = "$2" ]; }
header() { sed -n "${2:-1}"'s/.*"mr-'"$1"'":"\([^"]*\)".*/\1/p' out; }

# ---- the command line: refused before anything is done -----------------------------------------------------------------------
for bad in "t --" "-- true" "-j 0 t -- true" "-j 65 t -- true" "-j 2 t" "--batch 2 t" "--batch 0 t -- true" "--into x t" "--into a/b t -- true" \
    "--into t t -- true" "--on-fail perhaps t -- true" "--tries 0 t -- true" "--tries 1001 t -- true" "--backoff soon t -- true" \
    "--backoff 2d t -- true" "--peek t -- true" "--no-ack t -- true" "--delay 1s t -- true" "-w 5 t -- true" "--all -j 2 t -- true" \
    "--tries 3 t" "--backoff 1s t" "--on-fail skip t"; do
    # shellcheck disable=SC2086  # words are meant
    expect 2 consumer $bad
    says err "^Try 'consumer --help'"
done
expect 2 consumer --on-fail ded t -- true
says err 'did you mean dead'
expect 127 consumer t -- /nosuch/command
says err '^consumer: /nosuch/command: no such command'
expect 127 consumer t -- nosuchcommandatall
echo 'echo hello' >plain
expect 126 consumer t -- ./plain
says err '^consumer: ./plain: Permission denied'
expect 126 consumer t -- /
expect 3 consumer -b "$MILLRACE_BUS-no" --wait 0 t -- true

start_broker

# ---- what a command gets -----------------------------------------------------------------------------------------------------
printf '%s\n' k1=one k2=two three | producer -q -K = -H trace=7 facts
expect 0 env MR_KEY=old MR_X=kept consumer -q -e facts -- sh -c 'read -r line; echo "$0 $1|$line|$MR_TOPIC $MR_PARTITION $MR_OFFSET $MR_LAST_OFFSET $MR_COUNT $MR_TRY ${MR_KEY-none} $MR_X"' \
    'a  b' '$c;'
is out 'a  b $c;|one|facts 0 0 0 1 1 k1 kept
a  b $c;|two|facts 0 1 1 1 1 k2 kept
a  b $c;|three|facts 0 2 2 1 1 none kept'
expect 0 consumer -q -e -g ts -f '%T\n' facts -- sh -c 'read -r ms; [ "${MR_TS%??????}" = "$ms" ] && echo same'
is out $'same\nsame\nsame'
expect 0 consumer -q -e -g json -J facts -- cat
says out '"offset":1,.*"key":"k2","headers":\{"trace":"7"\},"try":1,"value":"two"'
expect 0 consumer -q -e -g zero -0 -c 1 facts -- od -An -c
says out '^ +o +n +e +.0$'
printf 'id,name\n1,Ann\n2,"B, C"' | producer -q -i csv rows
expect 0 consumer -q -e -f csv rows -- sh -c 'cat; echo "|"'
is out $'id,name\n1,Ann\n|\nid,name\n2,"B, C"|'
expect 0 consumer -q -e -g b --batch 10 -f '%{name};' rows -- sh -c 'cat; echo " $MR_OFFSET-$MR_LAST_OFFSET $MR_COUNT ${MR_KEY-none}"'
is out 'Ann;B, C; 0-1 2 none'
# A key that cannot be in an environment is not there; the command runs all the same.
printf 'a\0b=1\n' | producer -q -K = oddkeys
{ head -c 200000 /dev/zero | tr '\0' k; echo '=2'; } | producer -q -K = oddkeys
expect 0 consumer -q -e oddkeys -- sh -c 'read -r x; echo "$x ${MR_KEY-none}"'
is out $'1 none\n2 none'
# A program without "#!" runs, as everywhere; options of COMMAND are its own.
chmod +x plain
expect 0 consumer -q -e -g p -c 1 facts -- ./plain -c --into
is out hello
# "--" as an option's value is not the one before COMMAND.
expect 0 consumer -q -e -g d -c 1 facts -D -- -- cat
is out one--

# Signals are as for any program, whatever the consumer does with its own.
expect 0 consumer -q -e -g sig -c 1 facts -- sh -c "grep -E 'Sig(Blk|Ign)' /proc/self/status"
expect 0 consumer -q -e -g fds -c 1 facts -- sh -c 'ls /proc/self/fd | wc -l'
[ "$(cat out)" = "$(sh -c 'ls /proc/self/fd | wc -l')" ] || wrong "a command has $(cat out) descriptors"
expect 0 env --ignore-signal=PIPE consumer -q -e -g pipe -c 1 facts -- sh -c 'yes | head -n 1'
is out y
[ -s err ] && wrong "a command starts with SIGPIPE ignored: $(cat err)"
send chld x
expect 7 env --ignore-signal=CHLD consumer -q -e --tries 1 chld -- sh -c 'exit 3' # its exit status is known all the same

# ---- payloads and outputs ----------------------------------------------------------------------------------------------------
head -c 1000000 /dev/urandom | od -An -tx1 -v | tr -d ' \n' | head -c 1048576 >big
broker -q create big --size 16M
producer -q -i file big big || wrong "producer big"
expect 0 consumer -q -e -D '' big -- cat
cmp out big || wrong "1 MiB through cat"
expect 0 consumer -q -e -g half -D '' big -- sh -c 'head -c 10 >/dev/null; echo enough' # reads a little of it
is out enough
expect 0 consumer -q -e -g none -D '' big -- true                                      # reads nothing
expect 0 consumer -q -e -g shut -D '' big -- sh -c 'exec 0<&-; sleep 0.2; echo late'
is out late
expect 0 consumer -q -e -g first -D '' big -- sh -c 'head -c 3000000 /dev/zero | tr "\0" x; cat' # writes much before it reads
[ "$(wc -c <out)" = 4048576 ] || wrong "$(wc -c <out) bytes instead of 4048576"
tail -c 1048576 out | cmp - big || wrong "1 MiB after 3000000 bytes"
expect 0 consumer -q -e -g slow -D '' big -- sh -c 'sleep 0.3; wc -c' # reads late
is out 1048576
# What a child of the command goes on writing is not waited for.
expect 0 consumer -q -e -g leaves big -- sh -c 'sleep 300 & echo $! >left; echo now'
is out now
kill -0 "$(cat left)" || wrong "a child of the command was waited for"
kill "$(cat left)"
expect 0 consumer -q -e -g yes big -- sh -c 'yes & echo $! >left; exec 1>&-; sleep 0.1' # one that writes for ever
! kill "$(cat left)" 2>/dev/null || wait_until "it is gone" gone "$(cat left)"

# ---- exit statuses -----------------------------------------------------------------------------------------------------------
send codes 0 1 2 3 4
# 1 fails for good, 2 is hopeless at once, 3 fails once, 4 comes later.
expect 7 consumer -e --tries 3 --stats figures codes -- sh -c 'read -r x; echo "$x $MR_TRY" >>seen; echo "out $x"
    case $x in 1) exit 9 ;; 2) exit 65 ;; 3) [ $MR_TRY = 2 ] || kill -KILL $$ ;; 4) [ -e again ] || { : >again; exit 75; } ;; esac'
sort -o out out
is out $'out 0\nout 3\nout 4' # what the failed ones have written is dropped
sort seen >seen.sorted
is seen.sorted $'0 1\n1 1\n1 2\n1 3\n2 1\n3 1\n3 2\n4 1\n4 1' # "later" counts no try
says err '3 records.*; 9 commands, 5 failed, 3 to be tried again, 1 put off, 2 dead-lettered'
says err 'codes: 2 records failed and are now in codes.dead'
for pair in records:3 commands:9 failed:5 retried:3 delayed:1 skipped:0 dead_lettered:2 exit:7; do
    [ "$(number figures "${pair%:*}")" = "${pair#*:}" ] || wrong "--stats: $pair: $(cat figures)"
done
owes codes 0 || wrong "codes: $(broker lag codes)"
expect 0 consumer -q -e -J codes.dead
[ "$(wc -l <out)" = 2 ] || wrong "dead letters: $(cat out)"
sort -t: -k 8 -o out out
grep '"value":"1"' out >letter && mv letter out.1
grep '"value":"2"' out >letter && mv letter out.2
cp out.1 out
for pair in 'reason:exit status 9' topic:codes partition:0 offset:1 tries:3; do
    [ "$(header "${pair%%:*}")" = "${pair#*:}" ] || wrong "dead letter: ${pair%%:*} is $(header "${pair%%:*}")"
done
[[ $(header pid) =~ ^[0-9]+$ && $(header time) =~ ^[0-9]{19}$ ]] || wrong "dead letter: $(cat out)"
cp out.2 out
[ "$(header reason)" = 'exit status 65' ] && [ "$(header tries)" = 1 ] || wrong "dead letter of 65: $(cat out)"

# Killed by a signal: a try each, and the letter names it.
send killed x
expect 7 consumer -q -e --tries 2 killed -- sh -c 'echo $MR_TRY >>tries; kill -KILL $$'
is tries $'1\n2'
expect 0 consumer -q -e -J killed.dead
[ "$(header reason)" = 'killed by signal 9 (Killed)' ] && [ "$(header tries)" = 2 ] || wrong "dead letter of a kill: $(cat out)"

# 255 and --on-fail stop: nothing more is begun, the record is given back, unblamed.
send stops a b c
expect 1 consumer stops -- sh -c 'read -r x; [ $x != b ] || exit 255; echo $x'
is out a
says err '^consumer: stops: partition 0 offset 1: sh: exit status 255; stopped, the record is given back$'
owes stops 2 || wrong "stops: $(broker lag stops)"
expect 1 consumer -q --on-fail stop -j 3 stops -- sh -c 'read -r x; [ $x != b ] || exit 3; echo $x'
says err 'exit status 3; stopped'
expect 0 consumer -q -e stops -- sh -c 'read -r x; echo "$x $MR_TRY"'
says out '^b 1$'

# --on-fail dead and skip; 65 is dead whatever is said.
send fails a b c
expect 7 consumer -q -e --on-fail dead fails -- sh -c 'read -r x; [ $x = c ]'
expect 0 consumer -q -e -J fails.dead
[ "$(wc -l <out)" = 2 ] && [ "$(header tries 1)" = 1 ] || wrong "--on-fail dead: $(cat out)"
send skips a b c
expect 7 consumer -e --on-fail skip --stats figures skips -- sh -c 'read -r x; echo $x; [ $x = c ] && exit 65; [ $x = b ]'
is out b
says err '1 record,.*; 3 commands, 2 failed, 1 dead-lettered, 1 skipped'
owes skips 0 || wrong "skips: $(broker lag skips)"

# A command that goes away after the start: 127, and the record is not lost.
send vanishes 1 2
printf '#!/bin/sh\ncat\nrm -f vanishing\n' >vanishing
chmod +x vanishing
expect 127 consumer -q -e vanishes -- ./vanishing
is out 1
says err './vanishing: No such file'
expect 0 consumer -q -e vanishes -- sh -c 'read -r x; echo "$x $MR_TRY"'
is out '2 1'

# Several at a time: what each writes comes in one piece, through a pipe that takes less at a time.
printf '%s\n' a b c d e f g h | producer -q pieces
timeout 60 consumer -q -e -j 4 pieces -- sh -c 'read -r x; head -c 200000 /dev/zero | tr "\0" "$x"; echo' | sort >out
[ "$(tr -s a-h <out | tr -d '\n')" = abcdefgh ] && [ "$(wc -lc <out | tr -s ' ')" = ' 8 1600008' ] || wrong "outputs are mixed: $(tr -s a-h <out | head -c 300)"

# ---- a batch that fails ------------------------------------------------------------------------------------------------------
# One of ten is bad: all others are done once, and only what it does alone counts.
seq 10 | producer -q batches
expect 7 consumer -q -e --batch 10 --tries 2 batches -- sh -c 'cat >in; echo $MR_COUNT.$MR_TRY >>runs; ! grep -qx 7 in || exit 5; cat in'
is out "$(seq 10 | grep -v 7)"
is runs "$(printf '%s\n' 10.1 1.1 1.1 1.1 1.1 1.1 1.1 1.1 1.2 1.1 1.1 1.1)"
expect 0 consumer -q -e -J batches.dead
[ "$(header offset)" = 6 ] && [ "$(header tries)" = 2 ] || wrong "dead letter of a batch: $(cat out)"
# All of it later: together again.
seq 4 | producer -q together
expect 0 consumer -q -e --batch 4 --backoff 10ms together -- sh -c 'echo $MR_COUNT.$MR_TRY >>laters; [ "$(wc -l <laters)" = 3 ] || exit 75; cat'
is laters $'4.1\n4.1\n4.1'

# ---- waiting to be tried again -----------------------------------------------------------------------------------------------
# It takes its time, 100 + 200 ms, not less and not more; and "later" without --backoff is a second.
# idle NAME: none of its commands runs. tried N: so many have.
idle() { [ -z "$(cat "/proc/${pids[$1]}"/task/*/children)" ]; }
tried() { [ "$(wc -l <tried)" = "$1" ] || wrong "not $1 tries but $(wc -l <tried)"; }
# again NAME N: the N-th try is over.
again() {
    wait_until "try $2" lines tried "$2"
    wait_until "it is over" idle "$1"
}
echo x | producer -q slowly
start slowly clock turned consumer -q -e --backoff 100ms --tries 3 slowly -- sh -c 'echo >>tried; [ $MR_TRY = 3 ]'
again slowly 1
pass 99ms slowly
tried 1
pass 1ms slowly
again slowly 2
pass 199ms slowly
tried 2
pass 1ms slowly
ended slowly 0
tried 3
rm tried
echo x | producer -q later
start later clock turned consumer -q -e later -- sh -c 'echo >>tried; [ -s put-off ] || { echo >put-off; exit 75; }'
again later 1
pass 999ms later
tried 1
pass 1ms later
ended later 0
tried 2
# It holds up no other record, also with one worker.
printf '%s\n' bad good fine | producer -q aside
start aside consumer -q --backoff 1h aside -- sh -c 'read -r x; [ $x != bad ] && echo $x'
wait_until "the others are done" lines aside.out 2
stop_with TERM aside 143
is aside.out $'good\nfine'
owes aside 1 || wrong "aside: $(broker lag aside)"

# ---- until when --------------------------------------------------------------------------------------------------------------
seq 10 | producer -q until
expect 0 consumer -q -c 3 -j 8 until -- cat
[ "$(wc -l <out)" = 3 ] || wrong "-c 3: $(cat out)"
owes until 7 || wrong "-c 3: $(broker lag until)"
expect 0 consumer -q -c 4 --batch 3 until -- cat
[ "$(wc -l <out)" = 4 ] || wrong "-c 4 --batch 3: $(cat out)"
expect 0 clock sleeps consumer -q --timeout 300ms until -- sh -c 'sleep 0.5; cat' # while a command runs it is not idle
[ "$(wc -l <out)" = 3 ] || wrong "--timeout: $(cat out)"
expect 5 consumer -q --timeout 100ms -c 1 until -- cat
seq 3 | producer -q until
expect 0 clock sleeps consumer -q --max-seconds 0.2 until -- sh -c 'sleep 0.4; cat'
[ "$(wc -l <out)" = 1 ] || wrong "--max-seconds: $(cat out)"
mkfifo rows
start rows producer -q rows until
exec 6>rows
attached() { broker -q -J list | grep -q '"topic":"until".*"producers":1'; }
wait_until "the producer is attached" attached # else all is drained before it comes
start drain consumer -q --drain -j 2 until -- cat 6>&-
seq 4 6 >&6
exec 6>&-
ended rows 0
ended drain 0
[ "$(wc -l <drain.out)" = 5 ] || wrong "--drain: $(cat drain.out)"
broker -q seal until
expect 0 consumer -q until -- cat
expect 4 consumer -e nosuch -- cat
expect 0 consumer -q -e --all -c 2 --tries 2 --backoff 10ms facts -- sh -c '[ $MR_TRY = 2 ] && cat' # one handle, and it waits in place
is out $'one\ntwo'
# Several topics take turns.
seq -f 'a%.0f' 3 | producer -q turns-a
seq -f 'b%.0f' 6 | producer -q turns-b
expect 0 consumer -q -e turns-a turns-b -- cat
[ "$(head -n 6 out | cut -c 1 | tr -d '\n')" = ababab ] || wrong "topics do not take turns: $(tr '\n' ' ' <out)"
[ "$(wc -l <out)" = 9 ] || wrong "two topics: $(cat out)"
# Drop-oldest topics are read from a copy.
broker -q create drops --size 4k --full drop-oldest
seq 1000 | producer -q drops
expect 0 consumer -q -e --batch 7 drops -- cat
tail -n 1 out | grep -qx 1000 || wrong "drop-oldest: ends with $(tail -n 1 out)"

# The reader of the output is gone: what was not given to it is not acknowledged.
seq 200 | producer -q reader
timeout 60 consumer -q reader -- cat 2>err | head -n 1 >out
[ "${PIPESTATUS[0]}" = 141 ] || wrong "reader gone: exit status ${PIPESTATUS[0]}"
owes reader 0 && wrong "all was acknowledged though the reader is gone"

# ---- signals -----------------------------------------------------------------------------------------------------------------
# A first one: what runs may finish, and is acknowledged; nothing more is begun.
for jobs in 1 3; do
    send "calm$jobs" 1 2 3 4 5 6
    rm -f go begun
    start calm consumer -j $jobs "calm$jobs" -- sh -c 'cat; echo $MR_OFFSET >>begun; until [ -e go ]; do sleep 0.02; done'
    wait_until "$jobs have begun" lines begun $jobs
    kill -TERM "${pids[calm]}"
    wait_until "it says what it waits for" has calm.err 'waiting for sh \(pid [0-9]*\) to end'
    : >go
    ended calm 143
    [ "$(wc -l <calm.out)" = $jobs ] || wrong "after SIGTERM with -j $jobs: $(cat calm.out)"
    owes "calm$jobs" $((6 - jobs)) || wrong "calm$jobs: $(broker lag "calm$jobs")"
done
# A second one, or kill -9: the commands go too, and the record comes again with its try counted.
for kill in 'TERM TERM' KILL; do
    topic=dies-${kill% *}
    send "$topic" x
    rm -f child
    start dies consumer "$topic" -- sh -c 'echo $$ >child.new; mv child.new child; while :; do sleep 0.05; done'
    wait_until "it has begun" test -e child
    for signal in $kill; do
        kill -"$signal" "${pids[dies]}"
        [ "$kill" = KILL ] || wait_until "it says what it waits for" has dies.err 'to end'
    done
    ended dies $((128 + $(kill -l "$signal")))
    wait_until "the command is gone" gone "$(cat child)"
    expect 0 consumer -q -c 1 "$topic" -- sh -c 'cat; echo $MR_TRY'
    is out $'x\n2'
done
# kill -9 with three at work: each of their records has one more try, the others have none.
send crowd 1 2 3 4 5
rm -f begun
start crowd consumer -q -j 3 crowd -- sh -c 'echo x >>begun; while :; do sleep 0.05; done'
wait_until "three have begun" lines begun 3
kill9 crowd
expect 0 consumer -q -e crowd -- sh -c 'read -r x; echo "$x $MR_TRY"'
sort -o out out
is out $'1 2\n2 2\n3 2\n4 1\n5 1'
# Ctrl-C reaches the commands too: they have not failed, and their records come again without a try.
send ctrlc 1 2
rm -f begun
start ctrlc setsid env --default-signal=INT consumer -q -j 2 ctrlc -- sh -c 'echo x >>begun; exec sleep 60'
wait_until "two have begun" lines begun 2
kill -INT -- "-${pids[ctrlc]}"
ended ctrlc 130
expect 0 consumer -q -e ctrlc -- sh -c 'read -r x; echo "$x $MR_TRY"'
sort -o out out
is out $'1 1\n2 1'
# Also when the thread that takes signals does not run for a while: here it is stopped, by ptrace (101 on x86-64; 16 attaches, 17 detaches).
if [ "$(uname -m)" = x86_64 ] && perl -e '$p = fork // exit 1; $p or sleep 60; $e = syscall(101, 16, $p, 0, 0); kill KILL => $p; exit $e != 0' 2>/dev/null; then
    send starved 1 2
    rm -f begun
    start starved setsid env --default-signal=INT consumer -q -j 2 starved -- sh -c 'echo x >>begun; exec sleep 60'
    wait_until "two have begun" lines begun 2
    perl -e '$p = 0 + shift; syscall(101, 16, $p, 0, 0) == 0 or die "ptrace: $!"; waitpid $p, 0x40000000; kill INT => -$p;
        select undef, undef, undef, 0.5; syscall(101, 17, $p, 0, 0)' "${pids[starved]}" # sleep:ok longer than it waits for the signal
    ended starved 130
    expect 0 consumer -q -e starved -- sh -c 'read -r x; echo "$x $MR_TRY"'
    sort -o out out
    is out $'1 1\n2 1'
else
    say "not tried: a first thread that does not run (no ptrace by perl)"
fi
# During a backoff a signal ends it at once, and the record is given back.
send patient x
start patient consumer -q --backoff 1h patient -- sh -c 'echo $MR_TRY >>patient; false'
wait_until "it has failed" test -s patient
stop_with TERM patient 143
is patient 1
expect 0 consumer -q -e patient -- sh -c 'echo $MR_TRY'
is out 2

all_well "commands get what they should, and their ends mean what they should"
