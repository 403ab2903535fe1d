#!/bin/bash
# run.sh - `make fuzz`: each fuzzer for so long; what one found is in BIN/findings, the corpus that it has grown in BIN/corpus.
# Usage: tests/fuzz/run.sh BIN SECONDS FUZZER...        JOBS: fuzzers at a time [1]        A finding again: BIN/fuzz_csv BIN/findings/fuzz_csv-crash-...
# Exit: 0 nothing found · 1 something was found
set -u
cd "$(dirname "$0")/../.." || exit 1
bin=$1 seconds=$2
shift 2
mkdir -p "$bin/findings"

# seed FORMAT TEXT...: one more file to start from, as printf writes it.
seed() {
    seed_cnt=$((seed_cnt + 1))
    # shellcheck disable=SC2059  # a format is meant
    printf "$@" >"$seeds/$seed_cnt"
}
# seeds NAME: what the fuzzer starts from, beside what earlier runs have left.
seeds() {
    local line rows op
    seed_cnt=0
    case $1 in
    fuzz_csv) cp data/edge/*.csv "$seeds" ;;
    fuzz_text)
        for line in 16M 1.5GiB 250ms 1.5m 2h 10k 4096 0.000000001s orders.v2_A-z $'ordres\norders\nborders'; do
            seed '\377\377\377\377\0\0\0\0%s' "$line"
        done
        ;;
    fuzz_consumer)
        for line in end +5 -3 @1763696191.5 @2026-11-21T03:36:31.123Z @2026-11-21T03:36+0100 TRIM_HORIZON; do
            seed '\0%s' "$line"
        done
        for line in $'-e\n-f\ncsv\norders' $'-g\na\n-o\nend\n--drain\na\nb' $'--all\n-J\n-c\n5\nt' $'--peek\n-D\n\\0\n--timeout\n1s\nt'; do
            seed '\1%s' "$line"
        done
        for line in $'%k %s %{b}\\n\na,b,a\n1,"x""y",3' $'%T %h %n\n\nkeyvalue' $'x\n"a ""b""",c\n\377\n'; do
            seed '\2\014\1\2\0\0\0\0\0%s' "$line"
            seed '\2\016\0\0\0\0\0\0\0%s' "$line"
            seed '\2\217\0\0\0\10\0\0\0%s' "$line"
            seed '\2\16\6\0\0\0\0\0\0%s' "$line"
            seed '\2\17\4\0\0\0\0\0\0%s' "$line"
        done
        ;;
    fuzz_consumer_where)
        for line in 'total > 9 && country == "DE"' $'!(a.b ~ \'^x\\.\') || `c d` <= -1.5e3' 'ts >= @2026-11-21T06:00Z || key == null' \
            'value.key != headers.x || offset < 5' 'a == a_2'; do
            seed '\1\4\0\0%s\ntotal,country,a.b,c d,key,a,a\nkey10,DE,"x""y",3,4,5,6,7' "$line"
            seed '\0\4\0\0%s\n\n{"total":10,"country":"D\\u0045","a":{"b":"x."},"a_2":[1,{"c":null}]}' "$line"
        done
        ;;
    fuzz_producer)
        for line in $'-i\ncsv\n-\nt' $'-i\nlines\n-D\n;;\n-\nt' $'-i\ntsv\n-K\n:\n-\nt' $'-i\ncsv\n--key-col\nb\n-H\na=b\nf\nt' \
            $'-J\n-H\na=b\n-\nt' $'-i\ncsv\n--timing\nbx2\n-F\nf\nt' $'--resume\n--join\n--repeat\n2\nf.csv\nt'; do
            for rows in data/edge/quoted-newline.csv data/edge/bom-quoted.csv data/edge/mixed-ends.csv data/edge/bad-open-quote.csv; do
                seed '\100\1%s\0%s' "$line" "$(tr -d '\0' <$rows)"
            done
        done
        ;;
    fuzz_producer_consumer_envelope)
        for line in '{"topic":"a","partition":2,"ts":5,"key":"k","headers":{"h":"x"},"try":1,"value":{"a":1,"b":"x,y","_extra":["z"]}}' \
            '{"key":"\ufffd","key_base64":"/w==","headers":{"h":"\ufffd"},"headers_base64":[["aA==","/w=="]],"value":"x\n","value_base64":"eAo=","raw":"x\n"}' \
            '{"value":{"a":"1","a_2":2},"raw":"\"1\";2\r\n","columns":"a;a\r\n","columns_base64":"YTthDQo=","sep":";"}' \
            $'{"value":{"a":1}}\n{"value":{"a":"\\u0000\\ud83d\\udeb2"}}\n{"value":true}'; do
            seed '\1%s' "$line"
        done
        for line in 'a,b,ck"1",x,y' 'id;n;idkey1;2' $'\377,bkk\377,\r'; do
            seed '\0\4\360\5\1\0%s' "$line"
            seed '\0\0\20\5\1\1%s' "$line"
        done
        ;;
    fuzz_json_read)
        for line in '{"a":[1,-0.5e+3,true,false,null],"\\u00e9\\ud83d\\udeb2":"\\n\\"\\/"}' '[[[[]]],{}, "x" ]' ' 18446744073709551615 ' '"\\ud800"'; do
            seed %s "$line"
        done
        ;;
    fuzz_timestamp)
        for line in 2026-11-21T10:15:30.123456789+01:00 '2026-11-21 10:15 UTC' 20261121T101530Z 1795256130.5 1795256130123 -1; do
            seed %s "$line"
        done
        ;;
    fuzz_broker_control) # HELLO, CREATE, PING, STOP
        for op in 1 2 3 4; do
            seed "\\0\\$op"'\0\0\0\0\0\0\100\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\1\3\0\200\1\6orders'
        done
        ;;
    fuzz_broker_spec)
        seed 'orders,size=64M,partitions=4,full=drop-oldest,max-records=10k,tries=3,max-record=1k'
        ;;
    esac
}

# one NAME: fuzzes, and says on one line what came of it.
one() {
    local name=$1 corpus=$bin/corpus/$1 log=$bin/$1.log seeds=$bin/seeds/$1 status=0 runs rate edges fuzzer
    mkdir -p "$corpus" "$seeds"
    seeds "$name"
    # The fuzzer's own descriptors 1 and 2 are closed: programs print what is wrong with their options.
    "$bin/$name" -max_total_time="$seconds" -timeout=20 -max_len=2048 -rss_limit_mb=2048 -handle_xfsz=0 -close_fd_mask=3 -print_final_stats=1 \
        -artifact_prefix="$bin/findings/$name-" "$corpus" "$seeds" >"$log" 2>&1 &
    fuzzer=$!
    trap 'kill $fuzzer 2>/dev/null; rm -f /dev/shm/*millrace.*.test-$fuzzer-fuzz*; exit 130' INT TERM
    if wait $fuzzer; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
        edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
        printf '%-28s %11s inputs, %7s a second, %5s edges: nothing found\n' "$name" "$runs" "$rate" "$edges"
    else
        printf '%-28s FOUND something:\n%s\n' "$name" "$(grep -vE '^#|^INFO|NEW_FUNC|# Uses:' "$log" | head -n 60 | sed 's/^/    /')"
        status=1
    fi
    rm -f /dev/shm/*millrace.*."test-$fuzzer-fuzz"*
    return $status
}

status=0 running=0
rm -rf "$bin/seeds"
trap 'kill $(jobs -p) 2>/dev/null; wait; exit 130' INT TERM
for name; do
    if [ $running -ge "${JOBS:-1}" ]; then
        wait -n || status=1
        running=$((running - 1))
    fi
    one "$name" &
    running=$((running + 1))
done
while [ $running -gt 0 ]; do
    wait -n || status=1
    running=$((running - 1))
done
rm -rf "$bin/seeds"
exit $status
