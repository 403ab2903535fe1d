#!/bin/bash
# e2e_where.sh - --where, --select and -f tsv end to end: what passes is given, what does not is acknowledged and counted, -c counts what
# passes, a wrong name takes nothing; with groups, --peek, -w, --drain, drop-oldest, several topics, COMMAND and Ctrl-C.
# shellcheck disable=SC2016  # backticks and "$x" are not for this shell
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"

start_broker
# counted RECORDS FILTERED: so do both the figures and the summary in ./err.
counted() {
    [ "$(number figures records) $(number figures filtered)" = "$1 $2" ] || wrong "--stats: $(cat figures)"
    if [ "$2" = 0 ]; then
        if has err filtered; then wrong "a summary of nothing filtered: $(cat err)"; fi
    else
        says err "^consumer: $1 records? ?\($2 others filtered out\), "
    fi
}
lag() { broker -q -J describe "$1" | grep -o '"lag": *[0-9]*' | grep -o '[0-9]*$'; }

printf 'id,country,total,unit price\r\n1,DE,9.50,3\r\n2,FR,10,4\r\n3,DE,11,5\r\n4,"DE",100,6\r\n5,,,\r\n6,DE,9223372036854775807,7\r\n' >orders.csv
producer -q orders.csv orders || wrong producer

# ---- what passes -------------------------------------------------------------------------------------------------------------
expect 0 consumer -e --stats figures --where 'total > 9 && country == "DE"' -f '%{id}\n' orders
is out $'1\n3\n4\n6'
counted 4 2
[ "$(lag orders)" = 0 ] || wrong "what does not pass is not acknowledged"
expect 0 consumer -e --stats figures --where 'total > 9' orders
counted 0 0
expect 0 consumer -e -g exact --stats figures --where 'total > 9223372036854775806' -f '%{id}\n' orders
is out 6
counted 1 5
expect 0 consumer -e -g none --stats figures --where 'id == 77' orders
is out ''
counted 0 6
expect 0 consumer -e -g regex --where '`unit price` ~ "^[3-5]$" && !(country ~ "D")' -f '%{id}\n' orders
is out 2
expect 0 consumer --peek -e -o 1 --where 'offset < 3 && partition == 0 && try == 1 && key == null' -f '%o ' orders
is out '1 2 '
expect 0 consumer --all -e --where "ts > @2020-01-01 && ts < @$(($(date +%s) + 1000))" -c 2 -f '%o ' orders
is out '0 1 '
expect 0 consumer -e -g file -f csv --where 'id >= 3' orders
printf 'id,country,total,unit price\r\n3,DE,11,5\r\n4,"DE",100,6\r\n5,,,\r\n6,DE,9223372036854775807,7\r\n' | cmp -s - out || wrong "csv: $(od -c out)"

# -c counts what passes; what comes after it is left to others.
expect 0 consumer -g count -c 2 --stats figures --where 'country == "DE"' -f '%{id} ' orders
is out '1 3 '
counted 2 1
expect 0 consumer -g count -c 2 -w 2 --where 'country == "DE"' -f '%{id} ' orders
is out '4 6 '
expect 0 consumer -g count -e orders
is out ''

# ---- mistakes ----------------------------------------------------------------------------------------------------------------
expect 2 consumer -g mistakes --where 'total = 3' orders
says err '^consumer: --where: = means nothing here \(did you mean ==\?\)$'
says err '^  total = 3$'
says err '^        \^$'
says err "^Try 'consumer --help'"
expect 2 consumer -e -g mistakes --where 'country == "DE" && totl > 3' orders
says err '^consumer: orders: --where: no column "totl" \(did you mean "total"\?\); its columns: id,country,total,unit price'
says err '^                     \^$'
[ ! -s out ] || wrong "a wrong name gives something"
expect 2 consumer -e -g mistakes --select id,contry orders
says err '^consumer: orders: no column "contry" \(did you mean "country"\?\); its columns: '
expect 2 consumer -e -g mistakes -f '%{conutry}' orders
says err 'did you mean "country"'
if broker -q groups orders | grep -q '^mistakes '; then wrong "a mistake makes a group"; fi
while read -r line; do
    expect 2 bash -c "consumer $line orders"
done <<'END'
--where a --where b
--select a --select b
--select a -J
--select a,a -f json
--select 'b,a,"b"' -f json
--select ''
--select 'a,"b'
--where ''
--where '('
-f tvs
-0 -f tsv
END
expect 2 consumer -f tvs orders
says err 'did you mean tsv'
# A topic that comes with columns while the consumer waits for it.
start late consumer --where 'nmae == "x"' late
wait_until "the consumer waits for the topic" has late.err 'no such topic yet'
producer -q --columns name -i csv - late <<<'x' || wrong "producer --columns"
ended late 2
has late.err 'no column "nmae" \(did you mean "name"\?\)' || wrong "late: $(cat late.err)"
expect 0 consumer -e --where 'name == "x"' late
is out x

# ---- JSON, text --------------------------------------------------------------------------------------------------------------
printf '%s\n' '{"user":{"id":1,"name":"Ann"},"n":9007199254740993}' '{"user":{"id":2}}' 'no JSON' '{"user":null,"n":1}' >rows.ndjson
producer -q rows.ndjson nd || wrong producer
expect 0 consumer --peek -e --where 'user.id >= 2' nd
is out '{"user":{"id":2}}'
says err '^consumer: nd: --where names a column or member, .* partition 0 offset 2 is not a JSON object'
expect 0 consumer --peek -e --where 'n == 9007199254740993 && user.name ~ "^A"' -f '%o' nd
is out 0
expect 0 consumer --peek -e --where 'value ~ "^no"' nd
is out 'no JSON'
expect 2 consumer --peek -e --select user nd
says err 'nd: no column "user": the topic has no columns'
printf 'k1:a\nk2:b\nc\n' | producer -q -K : -H trace=t9 keyed || wrong producer
expect 0 consumer --peek -e --where 'key == "k2" || key == null' keyed
is out $'b\nc'
expect 0 consumer --peek -e -c 1 --where 'headers.trace == "t9" && headers.none == null' keyed
is out a
# Columns that come after the first records: names mean members before, columns from then on.
printf '{"id":1}\n' | producer -q mixed || wrong producer
start mixed consumer --stats figures --where 'id >= 1' mixed
wait_until "the first record" has mixed.out id
printf 'id,b\n0,x\n5,y\n' | producer -q -i csv - mixed || wrong producer
wait_until "a row" has mixed.out '^5,y'
stop_with INT mixed 130
[ "$(cat mixed.out)" = $'{"id":1}\n5,y' ] || wrong "mixed: $(cat mixed.out)"
cp mixed.err err
counted 2 1 # after Ctrl-C, too

# ---- JSON that is not looked into: nested deeper than 256 levels -------------------------------------------------------------------
deep() { printf '{"n":%s,"d":%s%s}\n' "$1" "$(printf '%*s' "$2" '' | tr ' ' '[')" "$(printf '%*s' "$2" '' | tr ' ' ']')"; }
{ echo '{"n":1}' && deep 2 255 && echo '{"n":0}' && deep 3 256 && echo '{"n":4}'; } >deep.ndjson
why='--where: the value is JSON nested deeper than 256 levels'
for window in 1 1000; do
    producer -q deep.ndjson "deep$window" || wrong producer
    for _ in 1 2; do # it is left there for others, too
        expect 1 consumer -e -w $window --stats figures --where 'n > 0' -f '%o\n' "deep$window"
        says err "^consumer: deep$window: partition 0 offset 3: $why; the record is not acknowledged; .*--on-fail dead -- cat"
        [ "$(lag "deep$window")" = 2 ] || wrong "-w $window: a lag of $(lag "deep$window")"
        cat out >>seen
    done
    is seen $'0\n1'
    rm seen
done
expect 1 consumer --peek -e --where 'n > 0' -f '%o\n' deep1
is out $'0\n1'
says err "offset 3: $why"
expect 1 consumer -e --no-ack -g shown --where 'n > 0' -f '%o\n' deep1
is out $'0\n1'
expect 0 consumer -e -g shown --where 'offset != 3 && n > 0' -f '%o\n' deep1 # where it does not matter
is out $'0\n1\n4'
# With a command it has failed.
for policy in retry dead; do
    for batch in 1 10; do
        expect 7 consumer -q -e -g "$policy$batch" --batch $batch --on-fail $policy --where 'n > 0' -f '%o\n' deep1000 -- cat
        sort -o out out
        is out $'0\n1\n4'
        expect 0 consumer -q -e -f '%h\n' deep1000.dead
        [ "$(wc -l <out)" = 1 ] || wrong "--on-fail $policy: $(cat out)"
        says out "mr-reason=${why#--where: },.*,mr-offset=3,mr-tries=1,"
    done
done
expect 0 consumer -q -e -g skip --on-fail skip -j 2 --batch 2 --where 'n > 0' -f '%o\n' deep1000 -- cat
sort -o out out
is out $'0\n1\n4'
expect 1 consumer -q -e -g stop --on-fail stop --batch 10 --where 'n > 0' -f '%o\n' deep1000 -- cat
is out $'0\n1'
says err "^consumer: deep1000: partition 0 offset 3: $why; stopped, the record is given back$"
expect 0 consumer -q -e -g stop -f '%o %n\n' deep1000
is out $'2 1\n3 1\n4 1'

# ---- with everything else ----------------------------------------------------------------------------------------------------
# Two of a group share what passes; nothing is given twice, and --drain ends both.
seq 1 20000 >numbers
producer -q numbers shared || wrong producer
start one consumer -q --drain -w 7 --stats one.figures --where 'value ~ "7$"' shared
start two consumer -q --drain -w 50 --stats two.figures --where 'value ~ "7$"' shared
finish one two
grep '7$' numbers | cmp -s - <(sort -n one.out two.out) || wrong "shared: not every number once"
[ $(($(number one.figures filtered) + $(number two.figures filtered))) = 18000 ] || wrong "shared: $(cat one.figures two.figures)"
[ "$(lag shared)" = 0 ] || wrong "shared: lag"
# Killed at any moment: all that pass are given at least once.
producer -q numbers killed || wrong producer
for _ in 1 2 3; do
    start victim consumer -q -w 20 --delay 10ms --where 'value ~ "3$"' killed
    wait_until "some output" test -s victim.out
    kill9 victim
    cat victim.out >>killed.out
done
expect 0 consumer -q -e --where 'value ~ "3$"' killed
cat out >>killed.out
grep '3$' numbers | cmp -s - <(sort -nu killed.out) || wrong "killed: something is missing"
# Drop-oldest: what was lost is said, and what is left is filtered.
broker create ring --size 4k --full drop-oldest >/dev/null || wrong create
expect 0 consumer -e ring
producer -q numbers ring || wrong producer
expect 6 consumer -e --stats figures --where 'value ~ "0$"' ring
[ "$(tail -n 1 out)" = 20000 ] || wrong "ring: $(tail -n 1 out)"
if grep -qv '0$' out; then wrong "ring: something else passed"; fi
[ $(($(number figures records) + $(number figures filtered) + $(number figures lost))) = 20000 ] || wrong "ring: $(cat figures)"
# --no-ack gives back what passes and what does not.
expect 0 consumer -g held -e --no-ack -w 4 --where 'country == "DE"' -f '%{id} ' orders
is out '1 3 4 '
expect 0 consumer -g held -e -f '%{id} ' orders
is out '1 2 3 4 5 6 '
# --timeout runs from the last record that passes, also while there are others to take.
seq 1 300000 | producer -q backlog || wrong producer
expect 5 consumer -q -c 1 --timeout 1ms --where 'value == "none"' backlog
[ "$(lag backlog)" -gt 0 ] || wrong "--timeout: all of it was looked at first"
expect 0 consumer -q -e --where 'value == 300000' backlog
is out 300000
# A command gets what passes, alone and in batches; -c and the figures count those.
expect 0 consumer -g cmd -e --stats figures --where 'country == "DE"' orders -- cut -d, -f1
[ "$(sort -n out | tr '\n' ' ')" = '1 3 4 6 ' ] || wrong "command: $(cat out)"
[ "$(number figures records) $(number figures filtered) $(number figures commands)" = '4 2 4' ] || wrong "command: $(cat figures)"
expect 0 consumer -g batches -e --batch 4 --stats figures --where 'country == "DE"' orders -- sh -c 'cut -d, -f1 | tr "\n" " "; echo $MR_COUNT'
is out $'1 3 4 3\n6 1'
[ "$(number figures records) $(number figures filtered) $(number figures commands)" = '4 2 2' ] || wrong "batches: $(cat figures)"
[ "$(lag orders | sort -n | tail -n 1)" -le 6 ] || wrong "lag"
expect 0 consumer -g cmdcount -j 3 -c 2 --stats figures --where 'id >= 3 && id != 5' -f '%{id}\n' orders -- cat
[ "$(sort -n out | tr '\n' ' ')" = '3 4 ' ] || wrong "command -c: $(cat out)"
expect 0 consumer -g cmdcount -e -f '%{id} ' orders
is out '5 6 '
# One that fails on its first try, among others that do not pass.
expect 0 consumer -g retry -e --batch 6 --stats figures --where 'country == "DE"' orders -- sh -c '[ "$MR_TRY" -gt 1 ] || exit 1; cut -d, -f1'
[ "$(sort -n out | tr '\n' ' ')" = '1 3 4 6 ' ] || wrong "retry: $(cat out)"
[ "$(number figures records) $(number figures filtered)" = '4 2' ] || wrong "retry: $(cat figures)"

# ---- select, tsv -------------------------------------------------------------------------------------------------------------
expect 0 consumer --peek -e -f csv --select 'unit price,id' -c 2 orders
printf 'unit price,id\r\n3,1\r\n4,2\r\n' | cmp -s - out || wrong "select: $(od -c out)"
expect 0 consumer --peek -e -f json --select 'unit price,id' -c 1 orders
is out '{"unit price":3,"id":1}'
expect 0 consumer --peek -e --select id,id --where 'country == "FR"' orders
is out 2,2
expect 2 consumer --peek -e -f json --select id,user,id orders
says err '^consumer: --select id,user,id: id is named twice; an object of -f json has each name once$'
expect 0 consumer --peek -e -f '%{country} %s\n' --select id -c 1 orders
is out 'DE 1'
expect 0 consumer --peek -e -f tsv --where 'id == 4' orders
printf 'id\tcountry\ttotal\tunit price\r\n4\tDE\t100\t6\r\n' | cmp -s - out || wrong "tsv: $(od -c out)"
# Into a topic of tabs and back: the same fields.
expect 0 consumer --peek -e -f tsv orders
producer -q -i tsv out tabs || wrong "producer -i tsv"
expect 0 consumer --peek -e -f tsv tabs
consumer --peek -q -e -f tsv orders | cmp -s - out || wrong "tsv of tsv: $(od -c out)"
consumer --peek -q -e -f json orders >want
sed -i 's/"country":"DE","total":100/"country":"DE","total":100/' want
consumer --peek -q -e -f json tabs | cmp -s - want || wrong "tsv lost something"
# Topics with different columns have some in common.
printf 'x,id,y\na,7,b\n' | producer -q -i csv - other || wrong producer
expect 1 consumer --peek -q -e -f csv orders other
says err 'orders and other have different columns'
expect 0 consumer --peek -q -e -f csv --select id orders other
[ "$(tr -d '\r' <out | tr '\n' ' ')" = 'id 1 2 3 4 5 6 7 ' ] || wrong "two topics: $(cat out)"
# In tab-separated values quotes mean nothing: neither here, nor after a copy.
printf 'a\t"b\n"x\t1\n"y" z\t"2"\n' >quotes.tsv
producer -q quotes.tsv quotes || wrong "producer quotes.tsv"
consumer --peek -q -e -J quotes | producer -q -J - copy || wrong "a copy of quotes"
for topic in quotes copy; do
    consumer --peek -q -e -f csv "$topic" | cmp -s - quotes.tsv || wrong "$topic is not quotes.tsv"
    expect 0 consumer --peek -e -f json --where '`"b` == "1"' "$topic"
    is out '{"a":"\"x","\"b":1}'
    expect 0 consumer --peek -e -f csv --select '"""b"' "$topic"
    is out $'"b\n1\n"2"'
done
# A topic without records has a header all the same; one without columns has none.
printf 'a,b\n' | producer -q -i csv - bare || wrong producer
expect 0 consumer -e -f csv --select b bare
is out b
expect 0 consumer -e -f tsv bare
is out $'a\tb'
expect 2 consumer -e -f csv --select c bare
broker create nothing >/dev/null || wrong create
expect 0 consumer -e -f csv --select c --where 'd == 1' nothing
is out ''

all_well "what passes is given, the rest is acknowledged and counted, and mistakes take nothing"
