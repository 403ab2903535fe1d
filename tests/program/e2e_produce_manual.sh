#!/bin/bash
# e2e_produce_manual.sh - producer.1 and --help are true: the page's EXAMPLES run as they stand and do what is said, page and help name the same options,
# all of them exist, and what was mistyped is guessed.
. "$(dirname "$0")/../shared/expect.sh"
page=$top/producer/producer.1
start_broker

# ---- the examples -----------------------------------------------------------------------------------------------------------------
cp "$top/data/orders.csv" data.csv
{
    echo n,ts
    for ((i = 0; i < 60; i++)); do printf '%d,2026-05-01T00:%02d:00Z\n' $i $i; done
} >measured.csv
seq 4 >app.log
start jobs consumer -q jobs
start growing bash -c "until [ \"\$(broker -q -J describe log 2>/dev/null | grep -o '\"records_in\": *4')\" ]; do sleep 0.05; done; seq 5 20 >>app.log"
sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/s/^\.Dl //p' "$page" | sed 's/\\-/-/g; s/\\e/\\/g' >examples
n=0
while read -r example; do
    n=$((n + 1))
    case $example in
    *timing* | *"-r "*)
        broker -q create --if-not-exists "${example##* }" # a wait for the broker would turn the clock
        on_clock sleeps producer # by a clock that goes on while it sleeps, and then only
        ;;
    esac
    from=$(clock now)
    expect 0 timeout 60 bash -eo pipefail -c "$example" </dev/null
    cp err "err$n"
    case $example in
    *--seal*) broker -q wait orders --for sealed --timeout 60s || wrong "not sealed" ;;
    *timing*) [ $(($(clock now) - from)) = 983333333 ] || wrong "59 minutes in $(($(clock now) - from)) ns" ;;
    *"-r "*) [ $(($(clock now) - from)) = 1990000000 ] || wrong "200 at 100 a second in $(($(clock now) - from)) ns" ;;
    *"-n "*) says err 'would send' ;;
    esac
    off_clock
done <examples
[ $n -ge 9 ] || fail "only $n examples"
rows data.csv | wc -l >want
for topic in orders by-user safe copy; do
    timeout 60 consumer -q --peek -o beginning -e -f csv $topic >got
    cmp data.csv got || wrong "$topic is not data.csv"
done
timeout 60 consumer -q --peek -o beginning -e log | cmp - <(seq 10) || wrong "log is $(timeout 60 consumer -q --peek -o beginning -e log | tr '\n' ' ')"
timeout 60 consumer -q --peek -o beginning -e numbers | cmp - <(seq 200) || wrong numbers
broker -q lag jobs --max 0 >lags || wrong "--join ended too early"
finish growing
stop_with INT jobs 130

# ---- page, help and program name the same options ----------------------------------------------------------------------------------------
producer --help >help
awk 'length > 80 { bad = 1 } END { exit bad || NR > 52 }' help || wrong "--help does not fit on a screen: $(wc -l <help) lines"
sed -n 4p help | grep -q '^  producer ' || wrong "--help does not begin with examples"
sed 's/\\-/-/g; s/ Ns / /g' "$page" >plain
grep -oE '^  (-[A-Za-z]|--[a-z-]+)( N)?(, (-[A-Za-z]|--[a-z-]+))?' help | grep -oE -- '--?[A-Za-z][a-z-]*' | sort -u >in-help
[ "$(wc -l <in-help)" -gt 35 ] || fail "only $(wc -l <in-help) options in --help"
while read -r option; do
    grep -qE "^\.It Fl ${option#-}( |\$)|^\.It Fl .*[ ,]${option#-}( |\$)" plain || wrong "producer.1 has no $option"
    # An option that needs a value says so, any other leads to the complaint that there is no topic.
    status=0
    producer "$option" </dev/null >out 2>err || status=$?
    case $option in
    -h | -V) [ $status = 0 ] || wrong "$option: $status" ;;
    *) [ "$status $(grep -cE 'needs a value|no TOPIC' err)" = "2 1" ] || wrong "$option: exit status $status: $(cat err)" ;;
    esac
done <in-help
grep -oE '^\.It Fl -?[A-Za-z][a-z-]*' plain | sed 's/^\.It Fl /-/' | sort -u >in-page
diff in-help in-page >differ || wrong "help and page differ: $(cat differ)"
for long in input-format json follow delimiter key-delimiter key header partition bus count dry-run rate tee quiet verbose help version; do
    grep -qE "^\.Fl -$long( |\$)" plain || wrong "producer.1 does not name --$long"
    producer --$long </dev/null >out 2>err || true
    ! grep -q 'unknown option' err || wrong "there is no --$long"
done
for section in "EXIT STATUS" ENVIRONMENT FILES EXAMPLES; do
    grep -qx "\.Sh $section" "$page" || wrong "producer.1 has no section $section"
done
for status in 0 1 2 3 4 5 6 7; do
    grep -qx "\.It $status" "$page" || wrong "producer.1 does not say what exit status $status is"
done

# ---- guesses -------------------------------------------------------------------------------------------------------------------------------
for pair in resumee:resume joinn:join timming:timing folow:follow bad-rws:bad-rows key-cols:key-col; do
    expect 2 producer "--${pair%:*}" x t
    says err "unknown option --${pair%:*} \\(did you mean --${pair#*:}\\?\\)"
done
expect 4 producer --no-create data.csv ordres
says err 'ordres: no such topic \(did you mean "orders"\?'
expect 1 producer --key-col usr_id data.csv by-user
says err 'data.csv: no column "usr_id" \(did you mean "user_id"\?\)'
expect 1 producer --timing tss data.csv by-user
says err 'data.csv: no column "tss" \(did you mean "ts"\?\)'
expect 2 producer -i cvs data.csv t
says err '-i cvs: unknown value \(did you mean csv\?\)'
expect 2 producer --progress allways data.csv t
says err 'did you mean always'

# ---- what does not fit together is refused, with both names ------------------------------------------------------------------------------------
while read -r first second; do
    # shellcheck disable=SC2086
    expect 2 producer ${first//=/ } ${second//=/ } data.csv t
    says err "^producer: (${first%%=*}.*${second%%=*}|${second%%=*}.*${first%%=*})"
done <<'END'
--key-col=ts -k=x
-k=x -J
-J -i=csv
--no-header --columns=a,b
--timeout=1s --fail-if-full
--fail-if-full --timeout=1s
-r=5 --delay=1s
--timing=ts -r=5
--timing=ts --delay=1s
--timing=ts --jitter=5
-T --ids
-n --seal
-n --ids
-n --join
-n --resume
-F --repeat=2
--resume --repeat=2
--resume --skip=5
END
all_well "$n examples run, $(wc -l <in-help) options are as the page and --help say"
