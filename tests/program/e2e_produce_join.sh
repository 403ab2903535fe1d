#!/bin/bash
# e2e_produce_join.sh - --join, --stats and the closing summary: the producer ends when every group has acknowledged, not before; what it says agrees with
# what happened, also after Ctrl-C, with bad rows, and when the topic is full.
. "$(dirname "$0")/../shared/expect.sh"
start_broker
seq 1000 >numbers

# ---- --join ------------------------------------------------------------------------------------------------------------------------
start join producer --join --stats "$work/stats" numbers joined
wait_until "it waits for a consumer" has join.err 'joined: not all acknowledged, and no consumer has come yet'
timeout 60 consumer -q -c 400 -g a joined >/dev/null || wrong "consumer: $?"
timeout 60 consumer -q -e -g b joined >/dev/null || wrong "consumer: $?"
wait_until "it says who holds it up" has join.err 'joined: not all acknowledged; group a '
running join || wrong "it ended though group a had 600 records left"
timeout 60 consumer -q -e -g a joined >/dev/null || wrong "consumer: $?"
finish join
says join.err 'joined: 1,000 records'
says stats '"records":1000,.*"exit":0}'
# Time out, Ctrl-C, a topic that is deleted meanwhile.
expect 0 producer -q -c 1 numbers late
from=$(clock now)
expect 5 clock alone producer --join --timeout 700ms --stats stats -c 5 numbers late
[ $(($(clock now) - from)) = 700000000 ] || wrong "--join --timeout 700ms took $(($(clock now) - from)) ns"
says err 'late: not acknowledged by all groups within 700 ms'
says stats '"records":5,.*"exit":5}'
start join producer --join --seal -c 5 numbers stopped
wait_until "it waits" has join.err 'stopped: not all acknowledged'
stop_with INT join 130
says join.err 'stopped: 5 records'
broker -q -J describe stopped | grep -q '"sealed": *\(true\|1\)' && wrong "interrupted, but sealed"
start join producer --join -c 5 numbers deleted
wait_until "it waits" has join.err 'deleted: not all acknowledged'
broker -q delete deleted --force
ended join 6
# What a killed one has sent counts as well.
expect 0 producer -q --resume numbers earlier
start join producer --resume --join numbers earlier
wait_until "it waits for a consumer" has join.err 'earlier: no consumer has come yet'
timeout 60 consumer -q -c 999 earlier >/dev/null || wrong "consumer: $?"
running join || wrong "it did not wait for what was sent before"
timeout 60 consumer -q -e earlier >/dev/null || wrong "consumer: $?"
finish join

# ---- the figures -----------------------------------------------------------------------------------------------------------------------
# agree FILE: the summary in FILE.err and ./stats name the same figures, and the topic has as many records.
agree() {
    local records
    records=$(number stats records)
    grep -qE "^producer: $2: ($(printf "%'d" "$records")|$records|$(sed ':a;s/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/;ta' <<<"$records")) records?, " "$1" ||
        wrong "summary and --stats differ: $(tail -n 1 "$1") $(cat stats)"
    [ "$(broker -q -J describe "$2" | grep -o '"records_in": *[0-9]*\|"records": *[0-9]*' | head -n 1 | tr -dc 0-9)" = "$records" ] ||
        wrong "$2 has not $records records: $(broker -q -J describe "$2" | head -c 300)"
}
expect 0 producer --stats stats numbers figures
agree err figures
says stats '^\{"topic":"figures","bus":"[^"]*","records":1000,"bytes":2893,"bad_rows":0,"skipped":0,"resumed":0,"fewer_fields":0,"more_fields":0,"seconds":[0-9.]+,"records_per_second":[0-9]+,"blocked_seconds":0.000000,"exit":0\}$'
expect 0 producer --stats stats --skip 990 numbers figures-skip
agree err figures-skip
says stats '"records":10,"bytes":31,"bad_rows":0,"skipped":990,'
put bad.csv 'a\nx"\n1\ny"\n2\n'
expect 7 producer --stats stats --bad-rows skip bad.csv figures-bad
agree err figures-bad
says stats '"bad_rows":2,.*"exit":7}'
expect 1 producer --stats stats bad.csv figures-stop
says stats '"records":0,.*"bad_rows":1,.*"exit":1}'
start rate producer -r 200 --stats stats numbers figures-int
wait_until "some were sent" broker -q wait figures-int --for exists
timeout 60 consumer -q -c 20 figures-int >/dev/null || wrong "consumer: $?"
stop_with INT rate 130
agree "$work/rate.err" figures-int
says stats '"exit":130}'
holds "$(number stats records) >= 20 && $(number stats records) < 1000" || wrong "after Ctrl-C: $(cat stats)"
broker -q create figures-full --size 4096
start full clock turned producer --stats stats numbers figures-full
pass 499ms full
says_not full.err 'full: '
pass 1ms full
says full.err 'figures-full: full'
pass 237ms full
stop_turned TERM full 143
agree "$work/full.err" figures-full
says stats '"blocked_seconds":0\.737000,'
says full.err 'blocked 737 ms'
expect 1 producer --stats /nonexistent/stats numbers figures
says err '^producer: /nonexistent/stats: No such file or directory'
expect 1 producer --stats /dev/full numbers figures
says err '^producer: /dev/full: No space left on device'

# --progress: a line at most five times a second, and only when asked for or on a terminal.
expect 0 clock sleeps producer -q --progress always -r 2000 --repeat 2 numbers progress
sed -n 's/^producer: progress: \([0-9,]* records\), .* ([0-9]*%), [0-9,]*\/s$/\1/p' err >lines
is lines $'401 records\n801 records\n1,201 records\n1,601 records'
expect 0 producer -r 2000 -c 1000 numbers progress
[ "$(wc -l <err)" = 1 ] || wrong "progress without a terminal: $(cat err)"
expect 0 producer --progress never -q numbers progress
[ ! -s err ] || wrong "-q says $(cat err)"
all_well "--join waits for the last acknowledgement, and the figures agree"
