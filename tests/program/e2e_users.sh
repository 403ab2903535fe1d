#!/bin/bash
# e2e_users.sh - a bus and another user: without rights it is told whose the bus is, with which mode, and what helps; in the owner group it produces,
# consumes, commands and is killed like everybody else. As root, which can be nobody, too; otherwise only "USER/NAME" for oneself.
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"
name=$MILLRACE_BUS user=$(id -un) uid=$(id -u)


# ---- by user and name: for oneself the same bus -----------------------------------------------------------------------------------
start_broker
for bus in "$user/$name" "$uid/$name"; do
    seq 5 | producer -q -b "$bus" t
    seq 5 | MILLRACE_BUS=$bus producer -q t
    consumer -q -e -b "$bus" t | same <(seq 5 && seq 5) - "-b $bus"
    expect 0 broker -b "$bus" ping
    expect 0 broker -b "$bus" status
    expect 1 broker -b "$bus"
    says err "pid $broker_pid already serves this bus"
done
for bus in "no-such-user/$name" "/$name" "$user/" "$user/a/b" "4294967295/$name"; do
    for command in "producer t" "consumer -e t" "broker list" broker; do
        # shellcheck disable=SC2086  # words are meant
        expect 2 $command -b "$bus"
    done
done
says err "contains '/', and what stands before it is no user's name or number"
broker -q delete t
stop_broker

if [ "$uid" != 0 ] || ! setpriv --reuid=65534 --clear-groups test -x "$bin/producer"; then
    all_well "USER/NAME is a bus's address (another user was not tried)"
    exit
fi
group=54321 # unused on most machines
other=(setpriv --reuid=65534 --regid=65534 "--groups=$group")

# ---- without rights: whose it is, its mode, what helps ------------------------------------------------------------------------------
start_broker -t t,size=64k
for command in "producer t" "consumer -e t" "broker list" "broker create x" "broker seal t" "broker ping" "broker stop"; do
    # shellcheck disable=SC2086
    expect 1 "${other[@]}" $command -b "root/$name"
    says err "^[a-z]*: bus \"root/$name\": /dev/shm/millrace.0.$name belongs to root, group root, mode 0600: you lack the rights; "
    says err "root can share it: broker -b $name --mode 0660 --owner-group GROUP\$"
done
expect 3 "${other[@]}" consumer --wait 0 t # by its name alone it is a bus of one's own
says err "no broker on bus \"$name\""
expect 3 "${other[@]}" consumer --wait 0 -b "root/$name-2" t
says err "no broker on bus \"root/$name-2\"; root starts one with: broker -b $name-2 --mode 0660 --owner-group GROUP"
expect 2 "${other[@]}" broker -b "root/$name"
says err 'a broker serves only buses of its own user'
expect 2 "${other[@]}" broker -b "root/$name" clean
says err 'only its own user can clean a bus'
# Another user's file in the bus's place is no bus.
: >"/dev/shm/millrace.0.$name-3"
chown 65534 "/dev/shm/millrace.0.$name-3"
expect 1 broker -b "$name-3"
expect 1 consumer -e -b "$name-3" t
says err "/dev/shm/millrace.0.$name-3 is not a segment of root; it belongs to [a-z0-9]*, who can remove it"
rm "/dev/shm/millrace.0.$name-3"

# ---- another user's file among the topics: none of them, and no command fails for the others ---------------------------------------------
seq 3 | producer -q t.dead
for squatted in x a.dead zz; do
    echo 1 >"/dev/shm/$name.$squatted" # complete before it has the name: the broker looks at any time
    chown 65534 "/dev/shm/$name.$squatted"
    mv "/dev/shm/$name.$squatted" "/dev/shm/millrace.0.$name.$squatted"
done
mkfifo "/dev/shm/millrace.0.$name.fifo"
for command in list status groups "lag t" "describe t" "redrive t" "clean --dry-run -b $name"; do
    # shellcheck disable=SC2086
    expect 0 broker $command
    ! grep -qE '(x|a\.dead|zz|fifo)\b' out err || wrong "broker $command tells of another user's file: $(cat out err)"
done
gives t '1\n2\n3\n'
# One's own that is squatted is named, and not the other.
echo 1 >"/dev/shm/millrace.0.$name.other.dead"
chown 65534 "/dev/shm/millrace.0.$name.other.dead"
seq 3 | producer -q other
expect 1 broker redrive other
says err "^broker: other.dead: /dev/shm/millrace.0.$name.other.dead is not a segment of root; it belongs to nobody"
rm "/dev/shm/millrace.0.$name.other.dead"
broker -q delete other
expect 1 broker create x
says err "^broker: x: /dev/shm/millrace.0.$name.x is not a segment of root; it belongs to [a-z]*, who can remove it"
! grep -q 'belongs to root' err || wrong "it says: $(cat err)"
expect 1 broker create x --if-not-exists
says err "^broker: x: /dev/shm/millrace.0.$name.x is not a segment of root"
seq 3 >three
expect 1 producer - x <three
says err "^producer: x: /dev/shm/millrace.0.$name.x is not a segment of root; it belongs to"
broker -q purge t
broker -q delete t.dead
stop_broker_status=0
broker -q stop || stop_broker_status=$?
wait "$broker_pid" || stop_broker_status=$?
broker_pid=
[ $stop_broker_status = 0 ] || wrong "the broker's end: $stop_broker_status: $(cat broker.err)"
! grep -qE 'kept|not supervised' broker.err || wrong "the broker says: $(cat broker.err)"
[ ! -e "/dev/shm/millrace.0.$name" ] || wrong "the bus stays for another user's file"
expect 0 broker clean --all -b "$name"
for squatted in x a.dead zz fifo; do
    [ -e "/dev/shm/millrace.0.$name.$squatted" ] || wrong "$squatted was removed"
    rm -f "/dev/shm/millrace.0.$name.$squatted"
done
start_broker -t t,size=64k

# ---- the next broker shares the bus: the file that is there gets its rights, a topic keeps those it has --------------------------------
seq 3 | producer -q t
stop_status=0
broker -q stop || stop_status=$?
wait "$broker_pid" || true
broker_pid=
[ $stop_status = 0 ] || wrong "broker stop: exit status $stop_status"
start_broker --mode 0660 --owner-group $group
[ "$(stat -c '%u %g %a' "/dev/shm/millrace.0.$name")" = "0 $group 660" ] || wrong "the bus: $(stat -c '%u %g %a' "/dev/shm/millrace.0.$name")"
expect 1 "${other[@]}" consumer -e -b "root/$name" t
says err "^consumer: t: /dev/shm/millrace.0.$name.t belongs to root, group root, mode 0600: you lack the rights; root can share it: chgrp"
chgrp $group "/dev/shm/millrace.0.$name.t"
chmod 0660 "/dev/shm/millrace.0.$name.t"
expect 0 "${other[@]}" consumer -q -e -b "root/$name" t
same <(seq 3) "$work/out" "a topic that was shared by hand"
broker -q delete t

# ---- in the group: everything but serving ------------------------------------------------------------------------------------------------
seq 20000 >"$work/numbers"
export MILLRACE_BUS=root/$name
"${other[@]}" producer -q shared <"$work/numbers" || wrong "producer: exit status $?"
[ "$(stat -c '%u %g %a' "/dev/shm/millrace.0.$name.shared")" = "0 $group 660" ] || wrong "a topic: $(stat -c '%u %g %a' "/dev/shm/millrace.0.$name.shared")"
start root consumer -q -w 100 shared
start other "${other[@]}" consumer -q -w 100 shared
"${other[@]}" broker -q seal shared
finish root other
sort -n "$work/root.out" "$work/other.out" | same "$work/numbers" - "shared by two users"
expect 0 "${other[@]}" broker ping
expect 0 "${other[@]}" broker describe shared
expect 0 "${other[@]}" broker lag shared

# Their deaths are noticed on either side; a record that kills goes to a dead-letter topic, which is the owner's, too.
"${other[@]}" broker -q create deadly --tries 1 --size 64k
seq 5 | "${other[@]}" producer -q deadly
start holder consumer -q -w 5 --delay 1h -f '%o\n' deadly
wait_until "root holds some" lines "$work/holder.out" 1
kill9 holder
expect 7 "${other[@]}" consumer -q -e -f '%o\n' deadly
same <(seq 1 4) "$work/out" "what a consumer of root held"
expect 0 consumer -q -e deadly.dead
same <(echo 1) "$work/out" "the dead letter"
[ "$(stat -c '%u %g %a' "/dev/shm/millrace.0.$name.deadly.dead")" = "0 $group 660" ] || wrong "the dead-letter topic is not root's"
seq 5 | producer -q deadly
start holder "${other[@]}" consumer -q -w 5 --delay 1h -f '%o\n' deadly
wait_until "the other holds some" lines "$work/holder.out" 1
kill9 holder
wait_until "the broker has noticed" figure_is deadly consumers 0
expect 7 consumer -q -e deadly
same <(seq 2 5) "$work/out" "what a consumer of another user held"

# Deleted by another user, a topic is gone for everybody, and can be made again at once; one's own of that name is not touched.
env -u MILLRACE_BUS setpriv --reuid=65534 --clear-groups "$bin/broker" -q -b "$name" -t shared,size=64k 2>"$work/own.err" &
pids[own]=$!
wait_until "nobody's own broker" env -u MILLRACE_BUS setpriv --reuid=65534 --clear-groups "$bin/broker" -b "$name" ping >"$work/ping" 2>&1
expect 0 "${other[@]}" broker -q delete shared
expect 4 consumer -e shared
"${other[@]}" producer -q shared <"$work/numbers" || wrong "producer: exit status $?"
expect 0 consumer -q -e shared
same "$work/numbers" "$work/out" "a topic made again"
[ -e "/dev/shm/millrace.65534.$name.shared" ] || wrong "nobody's own topic was removed"
kill -TERM "${pids[own]}"
wait "${pids[own]}" || wrong "nobody's own broker ended with status $?"
unset "pids[own]"

export MILLRACE_BUS=$name
for topic in shared deadly deadly.dead; do broker -q delete $topic; done
stop_broker
all_well "another user is told why not, and in the owner group shares a bus"
