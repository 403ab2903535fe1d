#!/bin/bash
# e2e_nonblocking.sh - standard output in non-blocking mode (which a process that shares it can set
# at any time) cuts nothing: the programs wait until more can be written.
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"

# through NAME COMMAND...: the pipe is full and non-blocking when COMMAND begins to write; its
# reader waits until COMMAND sleeps or has ended. What COMMAND wrote is left in NAME.got, its exit status in
# NAME.status.
# setting: the flag belongs to the pipe's open file, so dd sets it for COMMAND as well.
through() {
    local name=$1
    shift
    rm -f "$name.pid"
    {
        dd if=/dev/zero bs=65536 count=1 oflag=nonblock status=none
        "$@" 2>"$name.err" &
        echo $! >"$name.pid.new"
        mv "$name.pid.new" "$name.pid"
        local status=0
        wait $! || status=$?
        echo $status >"$name.status"
    } | {
        wait_until "$name began" test -s "$name.pid"
        wait_until "$name waits or has ended" asleep "$(cat "$name.pid")"
        [ -z "${signal:-}" ] || kill "-$signal" "$(cat "$name.pid")"
        tail -c +65537 >"$name.got"
    }
}
asleep() { [[ ! -e /proc/$1/stat || $(sed 's/.*) //' "/proc/$1/stat") == [SZ]* ]]; }
# whole NAME STATUS: it ended with that status, and all of NAME.want came.
whole() {
    is "$1.status" "$2"
    cmp -s "$1.want" "$1.got" ||
        wrong "$1: $(wc -l <"$1.got") lines, not $(wc -l <"$1.want"): $(cat "$1.err")"
}

start_broker
seq 100000 >numbers
cp numbers copy.want
through copy producer -T numbers copied
whole copy 0
seq 0 99999 | sed 's/^/0 /' >ids.want
through ids producer --ids numbers counted
whole ids 0
expect 0 producer --help
cp out help.want
through help producer --help
whole help 0
# Records, of which those that were written are acknowledged; and what a command writes, in one piece.
cp numbers take.want
through take consumer -q -e -g take copied
whole take 0
cp numbers cat.want
through cat consumer -q -e --batch 100000 -g cat copied -- cat
whole cat 0
broker -q -J lag copied >lags
! grep -o '"lag": *[0-9]*' lags | grep -v '[^0-9]0$' || wrong "not all is acknowledged: $(cat lags)"
# The first signal lets it finish its lines; the others come to who is next.
signal=INT through int consumer -q -e -g int copied
is int.status 130
expect 0 consumer -q -e -g int copied
cat int.got out | cmp -s - numbers || wrong "SIGINT: $(wc -l <int.got) and $(wc -l <out) lines are not each number once"
for topic in {1..20}; do
    expect 0 broker -q create "t$topic"
done
expect 0 broker list
cp out list.want
through list broker list
whole list 0
# The first signal lets it finish its lines; the rows after them are not sent.
signal=TERM through term producer -T numbers stopped
[[ $(cat term.status) == 143 || $(cat term.status) == 0 ]] ||
    wrong "SIGTERM: exit status $(cat term.status)"
figure_is stopped records_in "$(wc -l <term.got)" ||
    wrong "$(wc -l <term.got) lines of $(figure stopped records_in) accepted rows"
cmp -s <(head -n "$(wc -l <term.got)" numbers) term.got || wrong "a line is cut"
for topic in copied counted stopped; do
    expect 0 broker -q delete "$topic"
done
stop_broker
all_well "a non-blocking standard output gets everything"
