#!/bin/bash
# e2e_produce_pace.sh - -r, --delay, --jitter, --timing: records come when they are due, to the nanosecond, by a clock that goes on only while
# the producer sleeps. How well it keeps to the machine's clock: tests/bench/bench_pace.sh.
. "$(dirname "$0")/../shared/expect.sh"
start_broker
seq 100000 >numbers
on_clock sleeps producer

# came TOPIC: how long after the first record each other one came, in ms, by the times that the topic noted.
came() {
    timeout 60 consumer -q --peek -o beginning -e -J "$1" | sed 's/.*"ts":\([0-9]*\)\([0-9]\{9\}\),.*/\1 \2/' |
        awk 'NR == 1 { s = $1; n = $2; next } { printf "%s%.6f", (NR > 2 ? " " : ""), ($1 - s) * 1e3 + ($2 - n) / 1e6 }' | sed 's/\.000000\>//g'
}
# due TOPIC MS...: so they came.
due() {
    local topic=$1
    shift
    [ "$(came "$topic")" = "$*" ] || wrong "$topic: came after $(came "$topic") ms, not $*"
}
# takes NANOSECONDS STATUS PRODUCER-OPTION...: that is how far the clock goes on.
takes() {
    local ns=$1 status=$2 from
    shift 2
    from=$(clock now)
    expect "$status" producer "$@"
    [ $(($(clock now) - from)) = "$ns" ] || wrong "producer $*: took $(($(clock now) - from)) ns, not $ns"
}

# ---- rates -----------------------------------------------------------------------------------------------------------------------
# The topics are there first: a wait for the broker's answer would turn the clock, too.
for topic in slow delay even; do
    broker -q create "$topic"
done
takes 600000000 0 -q -r 25 -c 16 numbers slow
# shellcheck disable=SC2046
due slow $(seq 40 40 600)
takes 300000000 0 -q --delay 30ms -c 11 numbers delay
# shellcheck disable=SC2046
due delay $(seq 30 30 300)
broker -q create fast --size 4M --full drop-oldest
takes 299999000 0 -q -r 1M --repeat 3 --stats stats numbers fast # the first comes at once
[ "$(number stats records)" = 300000 ] || wrong "-r 1M sent $(number stats records)"
[ "$(number stats seconds)" = 0.299999 ] || wrong "-r 1M: $(cat stats)"
takes 499500000 0 -q -r 2000 -c 1000 numbers even
takes 0 0 -q -r 0.5 -c 1 numbers even
# Each gap is between half of 5 ms and one and a half, and they are not all the same.
expect 0 producer -q --stats stats -r 200 --jitter 50 -c 101 numbers jitter
came jitter | tr ' ' '\n' | awk '{ gap = $1 - last; last = $1; bad += gap < 2.5 || gap > 7.5; low += gap < 4; high += gap > 6 }
    END { exit !(NR == 100 && !bad && low > 5 && high > 5) }' || wrong "--jitter: $(came jitter)"
[ "$(number stats seconds)" = "$(came jitter | awk '{ printf "%.6f", $NF / 1e3 }')" ] || wrong "--jitter: $(cat stats)"

# ---- the file's own times ------------------------------------------------------------------------------------------------------------
put iso.csv 'id,at\n1,2026-11-21T10:00:00Z\n2,2026-11-21T10:00:00.100Z\n3,2026-11-21T11:00:00.25+01:00\n4,2026-11-21 10:00:00.250\n5,2026-11-21T09:00:00Z\n6,20261121T090000.05Z\n'
expect 0 producer -q --timing at iso.csv iso
due iso 100 250 250 250 300
expect 0 producer -q --timing atx10 iso.csv faster
due faster 10 25 25 25 30
expect 0 producer -q --timing 2x0.5 iso.csv slower
due slower 200 500 500 500 600
# seconds, milliseconds, microseconds, nanoseconds: the same gaps
put epoch.csv 's,ms,us,ns\n1795256130,1795256130000,1795256130000000,1795256130000000000\n'
put epoch.csv "$(cat epoch.csv)"'\n1795256130.05,1795256130050,1795256130050000,1795256130050000000\n1795256130.2,1795256130200,1795256130200000,1795256130200000000\n'
for column in s ms us ns 3; do
    expect 0 producer -q --timing "$column" epoch.csv "epoch-$column"
    due "epoch-$column" 50 200
done
# A name that ends like a factor is a name first.
put x10.csv 'id,tx10\n1,0\n2,0.1\n'
expect 0 producer -q --timing tx10 x10.csv named
due named 100
tail -n +2 epoch.csv >bare.csv
expect 0 producer -q --no-header --timing 2 bare.csv bare
due bare 50 200

# A time that cannot be read is a bad row; the others keep their gaps.
put bad-times.csv 'id,at\n1,0\n2,yesterday\n3\n4,0.1\n5,\n6,0.2\n'
expect 7 producer --timing at --bad-rows kept bad-times.csv bad
due bad 100 200
printf '2,yesterday\n3\n5,\n' | cmp - kept || wrong "the rows without a time were not kept as they stood"
says err 'bad-times.csv: line 3, byte 3: "yesterday" is not a time'
says err 'bad-times.csv: line 4, byte 2: the row has 1 columns, and its time is expected in column 2'
expect 1 producer --timing at bad-times.csv stop
says err '1 record,'

# ---- the command line ------------------------------------------------------------------------------------------------------------------
expect 1 producer --timing art iso.csv t
says err 'iso.csv: no column "art" \(did you mean "at"\?\)'
expect 1 producer --timing attx2 iso.csv t
says err 'no column "att"'
for options in "-r 5" "--delay 1s" "--jitter 5"; do
    # shellcheck disable=SC2086
    expect 2 producer --timing at $options iso.csv t
done
expect 2 producer --timing at numbers t
says err 'numbers is not read as CSV, which --timing needs'
expect 2 producer --no-header --timing at bare.csv t
expect 1 producer --timing atx0 iso.csv t

# Ctrl-C ends the wait for a time that lies far ahead.
off_clock
put far.csv 'id,at\n1,2026-11-21\n2,2126-11-21\n'
start far producer --timing at far.csv far
wait_until "the first was sent" broker -q wait far --for exists
timeout 60 consumer -q -c 1 -f csv far >got || wrong "consumer far: $?"
[ "$(cat got)" = "$(printf 'id,at\n1,2026-11-21')" ] || wrong "far gives $(cat got)"
stop_with INT far 130
says far.err '^producer: far: 1 record,'
all_well "records come when they are due"
