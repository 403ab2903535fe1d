#!/bin/bash
# e2e_dead.sh - a record that cannot go to the dead letters waits alone; what is the consumer's own fault is no record's.
# shellcheck disable=SC2016  # "$x" is for the command's shell
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"
cd "$work"
start_broker -q
owes() { [ "$(broker -q -J lag "$1" | grep -o '"lag":[0-9]*' | cut -d: -f2)" = "$2" ]; }
cat >picky <<'END'
#!/bin/sh
# picky TOPIC: takes all of it with a command that fails for "b"
exec consumer -e --tries 1 "$1" -- sh -c 'read -r x; echo "$x"; [ "$x" != b ]'
END
chmod +x picky

# ---- the dead-letter topic does not take it -------------------------------------------------------------------------------------
printf '%s\n' a b c | producer -q sealed
broker -q create sealed.dead --size 4k
broker -q seal sealed.dead
expect 1 ./picky sealed
is out $'a\nc'
says err '^consumer: sealed.dead: did not take record 1 of partition 0: the topic is sealed; .* broker delete sealed.dead$'
says err '^consumer: sealed: 1 failed record still waits, because sealed.dead did not take it$'
owes sealed 1 || wrong "sealed: $(broker lag sealed)"
expect 1 ./picky sealed # it is not given to the command once more
is out ''
owes sealed 1 || wrong "sealed: $(broker lag sealed)"
broker -q delete sealed.dead
expect 7 ./picky sealed
is out ''
expect 0 consumer -q -e sealed.dead
is out b
owes sealed 0 || wrong "sealed: $(broker lag sealed)"

# --drain does not wait for ever for what waits.
printf '%s\n' a b c | producer -q stuck
broker -q create stuck.dead --size 4k
broker -q seal stuck.dead
expect 1 consumer --drain --tries 1 stuck -- sh -c 'read -r x; echo "$x"; [ "$x" != b ]'
is out $'a\nc'
says err '^consumer: stuck: 1 failed record still waits, because stuck.dead did not take it$'
owes stuck 1 || wrong "stuck: $(broker lag stuck)"
broker -q delete --force stuck

{ echo a && head -c 6000 /dev/zero | tr '\0' b && echo && echo c; } | producer -q large
broker -q create large.dead --size 4k
expect 1 consumer -e --tries 1 large -- sh -c 'read -r x; echo "${#x}"; [ "${#x}" = 1 ]'
is out $'1\n1'
says err '^consumer: large.dead: did not take record 1 of partition 0: too large; .* broker delete large.dead$'
owes large 1 || wrong "large: $(broker lag large)"

# It is said once for each cause, also with -q and whatever else is said meanwhile; and it goes there as soon as it can.
printf '%s\n' a b c d | producer -q often
broker -q create often.dead --size 4k
broker -q seal often.dead
start often clock turned consumer -q --tries 1 often -- sh -c 'read -r x; echo "$x" >>tried; [ "$x" = a ]'
wait_until "all were tried" lines tried 4
for _ in {1..15}; do
    pass 1s often
done
[ "$(grep -c '^consumer: often.dead: did not take record [123] of partition 0: the topic is sealed' often.err)" = 1 ] ||
    wrong "often: $(cat often.err)"
[ "$(wc -l <often.err)" = 1 ] || wrong "often: $(cat often.err)"
broker -q delete often.dead
pass 5s often
wait_until "all is acknowledged" owes often 0
stop_with INT often 130
expect 0 consumer -q -e often.dead
[ "$(wc -l <out)" = 3 ] || wrong "often.dead: $(cat out)"

# The longest name of a topic leaves room for the suffix.
name=$(printf 'z%.0s' {1..175})
printf '%s\n' p q | producer -q "$name"
expect 7 consumer -q -e --on-fail dead "$name" -- false
expect 0 consumer -q -e "$name.dead"
is out $'p\nq'
# But there are no dead letters of its dead letters.
expect 1 consumer -q -e -g letters --on-fail dead "$name.dead" -- false
says err "^consumer: $name.dead.dead: did not take record 0 of partition 0: this name is too long for a topic \(--on-fail skip needs no such topic\); the record is kept and tried again\$"
says err "^consumer: $name.dead: 2 failed records still wait, because $name.dead.dead did not take them\$"
[ "$(wc -l <err)" = 2 ] || wrong "$name.dead.dead: $(cat err)"
expect 2 producer -q "z$name" </dev/null
says err 'is longer than 175 characters'

# ---- what is no fault of the record ---------------------------------------------------------------------------------------------
# blameless TOPIC: the first record is there, and none of its tries is counted.
blameless() {
    owes "$1" 2 || wrong "$1: $(broker lag "$1")"
    expect 0 consumer -q -e "$1" -- sh -c 'read -r x; echo "$x $MR_TRY"'
    is out $'1 1\n2 1'
}
for policy in retry dead skip; do
    # No room for what the command writes. It may well have ended with 0.
    printf '%s\n' 1 2 | producer -q "room-$policy"
    expect 1 bash -c "ulimit -f 1000; exec \"\$0\" -e --tries 2 --on-fail $policy room-$policy -- sh -c 'head -c 5000000 /dev/zero; exit 0'" \
        "$bin/consumer"
    says err ': sh: cannot keep its output \(TMPDIR=.*\): File too large; stopped, the record is given back$'
    blameless "room-$policy"

    # The command, or what it runs, cannot be executed.
    for status in 126 127; do
        printf '%s\n' 1 2 | producer -q "exec-$policy-$status"
        expect $status consumer -e --tries 2 --on-fail $policy "exec-$policy-$status" -- sh -c "exit $status"
        says err "sh: exit status $status; stopped, the record is given back\$"
        blameless "exec-$policy-$status"
    done

    # It is being written: "Text file busy".
    printf '%s\n' 1 2 | producer -q "busy-$policy"
    cp "$(type -P true)" busy
    exec {writer}>>busy
    expect 126 consumer -e --tries 2 --on-fail $policy "busy-$policy" -- ./busy
    says err ': ./busy: Text file busy; stopped, the record is given back$'
    exec {writer}>&-
    blameless "busy-$policy"

    # No descriptors for its pipes.
    short=0
    for ((limit = 14; limit > 5; limit--)); do
        topic=files-$policy-$limit status=0
        printf '%s\n' 1 2 | producer -q "$topic"
        (ulimit -n $limit && exec timeout -k 1 60 consumer -e --tries 2 --on-fail $policy "$topic" -- true) >out 2>err || status=$?
        grep -q ': true: cannot start it: Too many open files; stopped' err || continue
        [ $status = 1 ] || wrong "ulimit -n $limit: exit status $status"
        short=$((short + 1))
        blameless "$topic"
    done
    [ $short -gt 0 ] || wrong "no limit leaves too few descriptors for a command"
done
! broker -q list | grep -E '^(room|exec|busy|files).*[.]dead ' || wrong "a record became a dead letter"

broker -q delete large
broker -q delete "$name.dead" # whose records still wait
stop_broker
all_well "dead letters that cannot be sent wait alone, and no record is blamed for what is not its fault"
