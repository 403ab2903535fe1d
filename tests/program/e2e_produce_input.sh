#!/bin/bash
# e2e_produce_input.sh - every way of reading (-i, --sep, -D) with dull and hostile files: CRLF, byte order marks, no last newline, NUL bytes, rows
# of 1 byte, 1 MiB and 64 MiB, 10,000 columns, a quote that never closes, a file that shrinks while it is read.
. "$(dirname "$0")/../shared/expect.sh"
start_broker --size 16M
n=0
# back FILE OPTION...: what comes back with -f csv is the file, and with -T the producer's copy of its records.
back() {
    local file=$1
    shift
    n=$((n + 1))
    expect 0 producer -q "$@" "$file" "back$n"
    content "back$n" "$file"
}

# ---- every format, every line end ------------------------------------------------------------------------------------------------
put rows.csv 'id,t\n1,"a,""b"""\n\n2,\xff\0\0\n3,"x\ny"\n'
put rows.tsv 'id\tt\n1\t"a\n\n2\t\xff\0 "\n3\t,\n'
put rows.txt 'one\n\n \xff\0\0\n"\n\t,\nlast\n'
put rows.ndjson '{"a":1}\n\n[\n"\0"\n'
for file in rows.csv rows.tsv rows.txt rows.ndjson; do
    sed 's/$/\r/' $file >"crlf-$file"
    head -c -1 $file >"open-$file"
    { printf '\xef\xbb\xbf' && cat $file; } >"bom-$file"
    for kind in "" crlf- open- bom-; do
        back $kind$file
        expect 0 producer -q -T --no-create "$kind$file" "back$n"
        case $file in
        *.csv) tail -n +2 "$kind$file" ;;
        *.tsv) tail -n +2 "$kind$file" ;;
        *) cat "$kind$file" ;;
        esac | cmp - out || wrong "-T of $kind$file"
    done
done
printf '\xef\xbb\xbf"id",t\n1,2\n' >bom.csv
expect 0 producer -q --key-col id bom.csv bom # the mark is no part of the first name
json bom '"key":"1"'
for format in csv tsv lines ndjson file; do
    : >"empty.$format"
    expect 0 producer -q -i $format "empty.$format" "empty-$format"
    expect 0 producer -n -i $format "empty.$format" t
    if [ $format = file ]; then says err 'would send 1 record,'; else says err 'would send 0 records,'; fi
    printf x >one
    expect 0 producer -n -i $format --no-create one t
    case $format in
    csv | tsv) says err 'would send 0 records,' ;; # it is the header
    *) says err 'would send 1 record, 1 B' ;;
    esac
done
for format in csv tsv; do
    expect 0 producer -n --no-header -i $format one t
    says err 'would send 1 record, 1 B'
done
printf '\n\n\n' >lines
back lines -i lines
expect 0 producer -n -i lines lines t
says err 'would send 3 records, 0 B'
expect 0 producer -q -i file rows.csv crlf-rows.csv /dev/null whole
timeout 60 consumer -q -e -D '' whole >got
cat rows.csv crlf-rows.csv | cmp - got || wrong "whole files"
expect 0 producer -n -i file rows.csv one /dev/null t
says err 'would send 3 records'

# ---- separators and delimiters -----------------------------------------------------------------------------------------------------
put semi.csv 'a;b\n1;"x;y"\n2;z,\n'
expect 0 producer -q --sep ';' --key-col b semi.csv semi
json semi '"key":"x;y",.*"value":\{"a":1,"b":"x;y"\}' '"key":"z,",.*"value":\{"a":2,"b":"z,"\}'
content semi semi.csv
printf 'a\xa7b\n1\xa72\n' >latin.csv
expect 0 producer -q --sep '\xa7' --key-col b latin.csv latin
content latin latin.csv
for sep in '"' '\n' '\r' ab '' '\0'; do
    expect 2 producer --sep "$sep" semi.csv t
done
put nul 'a\0b\0\0c'
expect 0 producer -q -T -D '\0' nul nul
cmp -s out nul || wrong "-T with -D"
json nul '"value":"a"' '"value":"b"' '"value":""' '"value":"c",.*"raw":"c"'
put multi 'a--b-c---d--'
expect 0 producer -q -D -- multi multi
json multi '"value":"a"' '"value":"b-c"' '"value":"-d"'
for delimiter in '\r\n' '\n' 'x' 'xy'; do
    expect 0 producer -n -D "$delimiter" rows.txt t
done

# A byte order mark is in no field, also where there is no header, for producer and consumer alike; the file
# comes back with it.
printf '\xef\xbb\xbf"x,y",1\nz,2\n' >marked.csv
expect 0 producer -q --columns a,b --key-col a marked.csv marked
json marked '"key":"x,y",.*"value":\{"a":"x,y","b":1\}' '"key":"z",.*"value":\{"a":"z","b":2\}'
{ echo a,b && cat marked.csv; } >marked.want
gives_with() {
    local want=$1
    shift
    timeout 20 consumer -q --peek -o beginning -e "$@" marked >got || wrong "consumer $*: $?"
    [ "$(cat got)" = "$want" ] || wrong "consumer $*: $(od -c got | head)"
}
gives_with "$(cat marked.want)" -f csv
gives_with "$(printf 'x,y 1\nz 2')" -f '%{a} %{b}\n'
gives_with "$(printf 'a\n"x,y"\nz')" -f csv --select a
gives_with "$(printf 'a\tb\nx,y\t1\nz\t2')" -f tsv
gives_with '{"a":"x,y","b":1}' -f json --where 'a == "x,y"'
gives_with '{"a":"x,y"}' -f json --where 'b == 1' --select a
timeout 20 consumer -q --peek -o beginning -e -J marked | producer -q -J remarked || wrong "-J | -J: $?"
content remarked marked.want
expect 0 producer -q --no-header --key-col 1 marked.csv unnamed
json unnamed '"key":"x,y",' '"key":"z",'
content unnamed marked.csv
expect 7 producer -n --no-header --timing 1 --bad-rows skip marked.csv t
says err 'line 1, byte 5: "x,y" is not a time'
printf '\xef\xbb\xbf{"a":1}\n{"a":1}\n' >marked.ndjson
expect 0 producer -q marked.ndjson objects
timeout 20 consumer -q -e --where 'a == 1' objects | cmp - marked.ndjson || wrong "--where of a marked object"

# One header line, other fields: nothing of the file is sent.
put one.csv 'a\n1\n'
put two.csv 'a\n"x";y\n'
put three.tsv 'a\n"\n'
expect 0 producer -q one.csv alike
expect 1 producer --sep ';' two.csv alike
says err '^producer: two.csv: the header is the same as that of topic alike, but its fields are written differently:'
says err '^  two.csv: separated by ";"$'
says err '^  topic alike: separated by ","$'
expect 1 producer three.tsv alike
says err '^  three.tsv: separated by tabs, quotes mean nothing$'
expect 1 producer --sep ';' --columns a two.csv alike
expect 1 producer -n one.csv three.tsv alike
says err '^  one.csv: separated by ","$'
expect 0 producer -q --sep '\t' -i csv one.csv quoted
expect 1 producer three.tsv quoted
says err '^  topic quoted: separated by tabs$'
json alike '"value":\{"a":1\}'
# Nor do consumers put both under one header.
expect 0 producer -q three.tsv unquoted
expect 1 consumer -e -f csv -g both quoted unquoted
says err 'have different columns'

# ---- fewer and more fields than the header -------------------------------------------------------------------------------------------
put uneven.csv 'a,b,c\n1,2,3\n4,5\n"6,7",8,9\n10\n11,12,13,14\n"15,\n16"\n\n'
expect 0 producer --stats stats uneven.csv uneven
says err '^producer: uneven: 4 rows with fewer fields than the header and 1 with more were sent, the first from line 3 of uneven.csv \(--strict makes them bad rows\)$'
says stats '"records":7,.*"fewer_fields":4,"more_fields":1,.*"exit":0}'
content uneven uneven.csv
expect 1 producer --strict uneven.csv strict
says err '^producer: uneven.csv: line 3, byte 1: the row has 2 fields, but the header has 3; stopped'
expect 7 producer --strict --bad-rows kept --stats stats uneven.csv strict
printf '4,5\n10\n11,12,13,14\n"15,\n16"\n\n' | cmp - kept || wrong "--strict: kept $(cat kept)"
says stats '"records":2,.*"bad_rows":5,.*"fewer_fields":0,"more_fields":0,'
gives strict 'a,b,c\n1,2,3\n1,2,3\n"6,7",8,9\n'
put even.csv 'a\n1\n\n"x,y"\n'
expect 0 producer even.csv even
! grep -q fewer err || wrong "even.csv is not: $(cat err)"
put uneven.tsv 'a\tb\n"\t"\n1\n'
expect 0 producer uneven.tsv tabs
says err 'tabs: 1 row with fewer fields than the header and 0 with more was sent, the first from line 3 of uneven.tsv'
# Without a header the columns given, or the topic's, say how many.
expect 7 producer --strict --bad-rows skip --columns x,y,z uneven.csv columns
says err 'columns: 3 records'
tail -n +2 uneven.csv >rest.csv
expect 7 producer --strict --bad-rows skip --no-header rest.csv uneven
says err 'uneven: 2 records'
expect 0 producer --no-header rest.csv uneven
says err 'the first from line 2 of rest.csv'
expect 2 producer --strict --no-header rest.csv nocolumns
says err 'without a header the number of fields is unknown'
expect 1 producer --no-header --sep ';' rest.csv uneven
says err 'rest.csv: its fields are separated by ";", those of topic uneven are separated by ","; read it the same way'
expect 2 producer --strict -i lines rest.csv t
expect 2 producer --strict -J rest.csv t
expect 0 producer -n --strict even.csv t
expect 1 producer -n --strict uneven.csv t

# ---- the format of a pipe without -i ------------------------------------------------------------------------------------------------
put quoted.csv 'id,text\n1,"a\nb"\n2,c\n'
expect 0 producer -q quoted.csv rows
# Into a topic with columns, as what the topic is.
expect 0 producer rows <quoted.csv
says err '^producer: standard input: read as CSV, since rows has columns \(-i lines sends lines as they are\)$'
says err 'rows: 2 records'
cp quoted.csv noname
expect 0 producer -q noname rows
{ cat quoted.csv && tail -n +2 quoted.csv && tail -n +2 quoted.csv; } >rows.want
content rows rows.want
expect 1 producer rows < <(printf '3,d\n')
says err 'standard input: the header differs from that of topic rows'
says err '^  Nothing of this file was sent. If it has no header: -i csv --no-header. If it is not CSV: -i lines.$'
content rows rows.want
expect 0 producer -i csv --no-header rows < <(printf '3,d\n')
expect 0 producer -i lines rows < <(printf '4,e\n')
says err 'standard input: rows has columns, but this is not read as rows of it'
printf '3,d\n4,e\n' >>rows.want
content rows rows.want
expect 0 producer -q --sep ';' semi.csv guessed
expect 0 producer -q guessed <semi.csv
expect 0 producer -q uneven.tsv guessed.tsv
expect 0 producer -q guessed.tsv <uneven.tsv
json guessed.tsv '"\\"' '"value":\{"a":"1"|"value":\{"a":1' '"\\"' '"a":1'
printf '{"value":{"a":1},"columns":"a\\n","sep":"|","quotes":false}\n' | producer -q -J strange || wrong "-J: $?"
expect 1 producer strange <quoted.csv
says err 'the rows of strange are neither CSV nor TSV'
# The same with --resume, which counts rows, not lines.
expect 0 producer -q -c 1 --resume noname rows
expect 0 producer --resume noname rows
says err 'rows: 1 record, .* 1 already there'
# Into a topic without any, as lines; what looks like CSV is said to.
expect 0 producer plain <quoted.csv
says err 'looks like CSV: -i csv reads the first line as'
expect 0 producer plain <semi.csv
says err "standard input: read as lines, but it looks like CSV: -i csv --sep ';' reads the first line as"
expect 0 producer -n plain < <(printf 'id,name\n1,x\n')
says err 'looks like CSV: -i csv reads'
for text in '1,2\n3,4\n' 'one\ntwo\n' '{"a":1,"b":2}\n{"a":1,"b":2}\n' 'id,name\n1\n' 'id,name\n' ''; do
    expect 0 producer -n plain < <(printf %b "$text")
    ! grep -q 'looks like' err || wrong "$text: $(cat err)"
done
expect 0 producer -n -i lines plain < <(printf 'id,name\n1,x\n')
! grep -q 'looks like' err || wrong "-i lines: $(cat err)"

# ---- what is no text of ours -------------------------------------------------------------------------------------------------------------
for to in UTF-16 UTF-16LE UTF-16BE; do
    iconv -f UTF-8 -t $to quoted.csv >wide16.csv
    expect 1 producer wide16.csv wide16
    says err '^producer: wide16.csv: this is UTF-16, which is not supported; convert it: iconv'
    expect 1 producer -n --no-header --bad-rows skip wide16.csv wide16
    says err 'this is UTF-16'
    expect 1 producer -n -i tsv wide16.csv wide16
    expect 1 producer -n -i ndjson wide16.csv wide16
    expect 1 producer -n -J wide16.csv wide16
    expect 0 producer -n wide16 <wide16.csv
    says err 'standard input: this looks like UTF-16'
done
tr '\n' '\r' <semi.csv >mac.csv
for options in '' --no-header '-i tsv' '--columns a'; do
    # shellcheck disable=SC2086
    expect 1 producer $options mac.csv mac
    says err 'mac.csv: the first row has a carriage return that ends no line; .*: tr '
done
expect 0 producer -n mac <mac.csv
says err 'standard input: one line, with carriage returns in it; .*: tr '
expect 0 producer -n mac < <(printf 'loading 1%%\rloading 2%%\ndone\n')
! grep -q carriage err || wrong "lines with carriage returns are fine: $(cat err)"
expect 0 producer -n -D '\r' mac <mac.csv
! grep -q carriage err || wrong "-D: $(cat err)"
put crs.csv 'a,b\r\n"x\ry",1\r\n'
expect 0 producer -n crs.csv crs
broker list | grep -qE 'wide16|mac' && wrong "a topic was made for nothing"

# ---- large rows ----------------------------------------------------------------------------------------------------------------------
head -c 1048576 /dev/urandom | base64 -w 1048576 | head -n 1 | tr -d '\n' >mib
[ "$(wc -c <mib)" = 1048576 ] || fail "mib has $(wc -c <mib) bytes"
{ cat mib && printf '\r\n' && cat mib && printf '\nx\n' && cat mib; } >mibs
back mibs -i lines
{ printf 'a,b\n1,"' && cat mib && printf '\n' && cat mib && printf '"\n2,' && cat mib; } >mibs.csv
back mibs.csv
for ((i = 1; i < 10000; i++)); do printf 'c%s,' $i; done >wide.csv
printf 'last\n' >>wide.csv
for row in 1 2 3; do
    for ((i = 1; i < 10000; i++)); do printf '%s%s,' $row $((i % 100)); done
    printf 'k%s\n' $row
done >>wide.csv
expect 0 producer -q --key-col last wide.csv wide
content wide wide.csv
json wide '"key":"k1"' '"key":"k2"' '"key":"k3"'
expect 1 producer --key-col lst wide.csv wide # beyond the columns that a suggestion looks at, it must still end well
# A line of 64 MiB: too long for the topic, and it costs no more memory than a row of the largest size would.
head -c 67108864 /dev/zero | tr '\0' z >long
printf '\nshort\n' >>long
broker -q create few --size 1M
limited() {
    [ -n "${MILLRACE_SAN:-}" ] || ulimit -v 200000
    producer "$@"
}
export -f limited
expect 7 bash -c 'limited --bad-rows skip long few'
says err 'long: line 1, byte 1: the row is longer than [0-9]+ bytes, the limit for a record'
says err 'few: 1 record, 5 B'
expect 7 bash -c 'limited -q --bad-rows kept -i csv --no-header long few'
head -c 67108865 long | cmp - kept || wrong "the bad row was not kept as it stood"
expect 7 bash -c 'limited -q -J --bad-rows kept long few'
cmp -s long kept || wrong "the bad envelopes were not kept as they stood"
broker -q create large --size 256M
start large consumer -q -c 2 large
expect 0 producer -q long large
finish large
cmp -s long "$work/large.out" || wrong "64 MiB in one record"
broker -q delete large --force

# ---- a quote that never closes --------------------------------------------------------------------------------------------------------
{
    printf 'a,b\n1,2\n"open,3\n'
    seq -f '%g,x' 4 200000
} >open.csv
expect 1 producer -q open.csv few
says err '^producer: open.csv: line 3, byte 1: the quote never closes( within [0-9]+ bytes.*)?; stopped'
expect 7 timeout 60 producer -n --bad-rows kept open.csv few
says err 'would send 199,998 records, .* 1 bad row'
printf '"open,3\n' | cmp - kept || wrong "more than one line was kept"
broker -q create open2 --size 1M
{ printf 'a\n"' && head -c 3000000 /dev/zero && printf '\nend\n'; } >open2.csv
expect 7 producer -q --bad-rows skip open2.csv open2
gives open2 'a\nend\n'

# ---- a file that changes while it is read -----------------------------------------------------------------------------------------------
for how in truncate empty; do
    broker -q create "cut-$how" --size 64k
    seq -f '%07g' 200000 >shrinks
    start shrink producer --stats stats shrinks "cut-$how"
    wait_until "the topic is full" has shrink.err "cut-$how: full"
    if [ $how = truncate ]; then truncate -s 800004 shrinks; else : >shrinks; fi
    start drain consumer "cut-$how"
    ended shrink 1
    says shrink.err '^producer: shrinks: cut short while it was read, after line [0-9]+'
    records=$(number stats records)
    wait_until "all were taken" broker -q lag "cut-$how" --max 0 >lags
    stop_with INT drain 130
    seq -f '%07g' "$records" | cmp - drain.out || wrong "$how: something else than whole rows came through"
    holds "$records >= 1000 && $records < 200000" || wrong "$how: $records records"
done
# One that grows is read to where it ends then; /proc has files without a size.
expect 0 producer -q -i file /proc/self/status proc
json proc '"value":"Name:'
chmod 000 one
[ "$(id -u)" = 0 ] || { expect 1 producer one t && says err 'one: Permission denied'; }

# A bad header is said to be one.
put bad-header.csv 'a"b,c\n1,2\n'
expect 1 producer --bad-rows skip bad-header.csv few
says err 'bad-header.csv: line 1, byte 2: the header: a quote inside'
all_well "rows of all kinds are read as they stand, in bounded memory"
