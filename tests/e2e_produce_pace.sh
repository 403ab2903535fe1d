#!/bin/bash
# e2e_produce_pace.sh - -r, --delay, --jitter, --timing: records come when they are due, to the millisecond and to the percent; never early. The
# machine may be loaded, so what is late only counts if it is late again and again.
. "$(dirname "$0")/expect.sh"
start_broker
seq 100000 >numbers
# A loaded machine lets a process that wakes up wait for some ms; with the priority of a real-time process only our own lateness is seen.
timely() { expect "$@"; }
limit=20
if chrt -f 1 true 2>/dev/null; then
    timely() {
        local status=$1
        shift
        expect "$status" chrt -f 1 "$@"
    }
    limit=1
fi

# errors TOPIC EXPECTED...: how many ms each record after the first came later (or earlier) than expected, by the times that the topic noted.
errors() {
    local topic=$1
    shift
    timeout 20 consumer -q -e -g e -f '%T\n' "$topic" >/dev/null || wrong "consumer $topic: $?"
    timeout 20 consumer -q --peek -o beginning -e -J "$topic" | sed 's/.*"ts":\([0-9]*\)\([0-9]\{9\}\),.*/\1 \2/' |
        awk -v list="$*" 'BEGIN { split(list, want) } NR == 1 { s = $1; n = $2; next } { printf "%.3f\n", ($1 - s) * 1e3 + ($2 - n) / 1e6 - want[NR - 1] }'
}
# within_ms TOPIC EXPECTED...: none of them early (as they all are when the first was late), and half of them not a millisecond late.
within_ms() {
    errors "$@" | sort -n >late
    [ "$(wc -l <late)" = $(($# - 1)) ] || wrong "$1 has $(wc -l <late) records but the first"
    early=$(head -n 1 late) middle=$(sed -n "$((($# + 1) / 2))p" late)
    holds "$early > -0.2 && $middle < $limit"
}
# again COMMAND: up to five times, with $try as part of the topics' names.
again() {
    for try in 1 2 3 4 5; do
        "$@" && return
    done
    wrong "$*: five times in vain: $(tr '\n' ' ' <late)"
}

# ---- rates -----------------------------------------------------------------------------------------------------------------------
slow_rate() {
    timely 0 producer -q -r 25 -c 16 numbers "slow-$try"
    # shellcheck disable=SC2046
    within_ms "slow-$try" $(seq 40 40 600)
}
again slow_rate
delay() {
    timely 0 producer -q --delay 30ms -c 11 numbers "delay-$try"
    # shellcheck disable=SC2046
    errors "delay-$try" $(seq 30 30 300) | sort -n >late
    holds "$(head -n 1 late) > -0.2" || wrong "--delay: early by $(head -n 1 late) ms"
    holds "$(tail -n 1 late) < 10" # a pause is a whole one, so lateness adds up
}
again delay
if [ -z "${MILLRACE_SAN:-}" ]; then
    broker -q create fast --size 4M --full drop-oldest
    fast_rate() {
        expect 0 producer -q -r 1M --repeat 15 --stats stats numbers fast
        rate=$(number stats records_per_second)
        [ "$(number stats records)" = 1500000 ] || wrong "-r 1M sent $(number stats records)"
        holds "$rate < 1010000" || wrong "-r 1M: $rate records a second"
        echo "$rate a second" >late
        holds "$rate > 990000"
    }
    again fast_rate
fi
expect 0 producer -q --stats stats -r 200 --jitter 50 -c 101 numbers jitter
holds "$(number stats seconds) > 0.4" || wrong "--jitter: 101 records in $(number stats seconds) s"
expect 0 producer -q --stats stats -r 0.5 -c 1 numbers jitter # the first comes at once
holds "$(number stats seconds) < 1.5" || wrong "-r 0.5: the first record took $(number stats seconds) s"

# ---- the file's own times ------------------------------------------------------------------------------------------------------------
put iso.csv 'id,at\n1,2026-11-21T10:00:00Z\n2,2026-11-21T10:00:00.100Z\n3,2026-11-21T11:00:00.25+01:00\n4,2026-11-21 10:00:00.250\n5,2026-11-21T09:00:00Z\n6,20261121T090000.05Z\n'
iso() {
    timely 0 producer -q --timing at iso.csv "iso-$try"
    within_ms "iso-$try" 100 250 250 250 300
}
again iso
faster() {
    timely 0 producer -q --timing atx10 iso.csv "faster-$try"
    within_ms "faster-$try" 10 25 25 25 30
}
again faster
slower() {
    timely 0 producer -q --timing 2x0.5 iso.csv "slower-$try"
    within_ms "slower-$try" 200 500 500 500 600
}
again slower
# seconds, milliseconds, microseconds, nanoseconds: the same gaps
put epoch.csv 's,ms,us,ns\n1795256130,1795256130000,1795256130000000,1795256130000000000\n'
put epoch.csv "$(cat epoch.csv)"'\n1795256130.05,1795256130050,1795256130050000,1795256130050000000\n1795256130.2,1795256130200,1795256130200000,1795256130200000000\n'
epoch() {
    timely 0 producer -q --timing "$column" epoch.csv "epoch-$column-$try"
    within_ms "epoch-$column-$try" 50 200
}
for column in s ms us ns 3; do again epoch; done
# A name that ends like a factor is a name first.
put x10.csv 'id,tx10\n1,0\n2,0.1\n'
named() {
    timely 0 producer -q --timing tx10 x10.csv "named-$try"
    within_ms "named-$try" 100
}
again named
tail -n +2 epoch.csv >bare.csv
bare() {
    timely 0 producer -q --no-header --timing 2 bare.csv "bare-$try"
    within_ms "bare-$try" 50 200
}
again bare

# A time that cannot be read is a bad row; the others keep their gaps.
put bad-times.csv 'id,at\n1,0\n2,yesterday\n3\n4,0.1\n5,\n6,0.2\n'
bad_times() {
    timely 7 producer --timing at --bad-rows kept bad-times.csv "bad-$try"
    within_ms "bad-$try" 100 200
}
again bad_times
printf '2,yesterday\n3\n5,\n' | cmp - kept || wrong "the rows without a time were not kept as they stood"
says err 'bad-times.csv: line 3, byte 3: "yesterday" is no time'
says err 'bad-times.csv: line 4, byte 2: the row has 1 columns, and column 2 is to be its time'
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
put far.csv 'id,at\n1,2026-11-21\n2,2126-11-21\n'
start far producer --timing at far.csv far
wait_until "the first was sent" broker -q wait far --for exists
timeout 20 consumer -q -c 1 -f csv far >got || wrong "consumer far: $?"
[ "$(cat got)" = "$(printf 'id,at\n1,2026-11-21')" ] || wrong "far gives $(cat got)"
stop_with INT far 130
says far.err '^producer: far: 1 record,'
all_well "records come when they are due"
