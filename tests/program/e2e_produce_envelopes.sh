#!/bin/bash
# e2e_produce_envelopes.sh - consumer -J a | producer -J b copies exactly: every sample and edge case of data/, keys, headers, times, any byte, lines
# without columns; through one pipe while both run. What is no envelope is a bad row.
. "$(dirname "$0")/../shared/expect.sh"
start_broker

# copied A B: every envelope of B is that of A, but for the name of the topic; -f csv gives the same bytes.
copied() {
    timeout 60 consumer -q --peek -o beginning -e -J "$1" >a.env || wrong "consumer $1: $?"
    timeout 60 consumer -q --peek -o beginning -e -J "$2" | sed "s/^{\"topic\":\"$2\"/{\"topic\":\"$1\"/" >b.env
    cmp a.env b.env || wrong "$2 is no copy of $1: $(diff a.env b.env | head -n 4 | cut -c 1-300)"
    timeout 60 consumer -q --peek -o beginning -e -f csv "$1" >a.csv
    timeout 60 consumer -q --peek -o beginning -e -f csv "$2" >b.csv
    cmp a.csv b.csv || wrong "$2 is no copy of $1 as CSV"
}
copy() {
    timeout 60 consumer -q -e -g copy -J "$1" | timeout 60 producer -q -J - "$2" || wrong "consumer -J $1 | producer -J $2: ${PIPESTATUS[*]}"
    copied "$1" "$2"
}

# ---- files ---------------------------------------------------------------------------------------------------------------------------
n=0
for file in "$top"/data/*.csv "$top"/data/edge/*.csv; do
    name=$(basename "$file" .csv)
    status=0
    producer -q --bad-rows skip -H "file=$name" "$file" "a-$name" 2>/dev/null || status=$?
    [ $status = 0 ] || [ $status = 7 ] || continue
    timeout 60 consumer -q --peek -o beginning -e "a-$name" >got
    [ -s got ] || continue # a topic without records has nothing that could carry its columns
    n=$((n + 1))
    copy "a-$name" "b-$name"
done
[ $n -gt 15 ] || fail "only $n files"

# ---- columns that names do not tell, other separators, rows of other lengths, line ends ------------------------------------------------
put dup.csv 'a,a,"a","b ""q"""\r\n1\r\n1,2,3,4,5,6\r\n"1",2,3,4'
put semi.csv 'a;b;a\n1;"x;y";3\n;;\n1\n'
put tsv.tsv 'a\t"b\n1\t"x\n\n2\t\xff\t\0\n'
printf '\xef\xbb\xbfa,\xff\n1,\xfe\n' >latin.csv
printf 'a\xa7b\n1\xa72\n\xa7\n' >sep.csv
expect 0 producer -q dup.csv a-dup
expect 0 producer -q --sep ';' semi.csv a-semi
expect 0 producer -q tsv.tsv a-tsv
expect 0 producer -q latin.csv a-latin
expect 0 producer -q --sep '\xa7' sep.csv a-sep
for name in dup semi tsv latin sep; do
    copy a-$name b-$name
    content b-$name $name.*sv
done

# ---- lines: no key, an empty one, any byte -----------------------------------------------------------------------------------------------
for ((i = 0; i < 256; i++)); do
    printf '%b' "\\x$(printf %02x $i)k=\\x$(printf %02x $i)END"
done >bytes
printf 'plain\r\nEND=emptyENDlast\n' >>bytes
broker -q create a-bytes --partitions 3
broker -q create b-bytes --partitions 3
expect 0 producer -q -D END -K = -H $'bytes=\xff\n"' -H 'empty=' bytes a-bytes
expect 0 producer -q -i file bytes a-bytes
copy a-bytes b-bytes
broker -q create d-bytes --partitions 2 # keys find their partition here, the others a place
timeout 60 consumer -q --peek -o beginning -e -J a-bytes | producer -q -J - d-bytes || wrong "fewer partitions: $?"
for topic in a-bytes d-bytes; do
    timeout 60 consumer -q --peek -o beginning -e -J $topic | sed 's/^{"topic":"[^"]*","partition":[0-9]*,"offset":[0-9]*//' | sort >sorted-$topic
done
cmp sorted-a-bytes sorted-d-bytes || wrong "with fewer partitions something changed"
expect 0 producer -q -k key -c 1 bytes a-key
timeout 60 consumer -q -e -J a-key >key.env
expect 0 producer -q -J -p 1 -H more=1 key.env d-bytes # -p and -H are added
timeout 60 consumer -q --peek -o -1 -e -J d-bytes | grep -q '"partition":1,.*"headers":{"more":"1"}' || wrong "-p and -H with -J"

# ---- while both run ------------------------------------------------------------------------------------------------------------------------
broker -q create live --size 64k
start copy bash -c 'consumer -q --drain -J live | producer -q -J --seal - live-copy'
start final consumer -q -f csv live-copy
expect 0 producer -q --key-col user_id --seal "$top/data/orders.csv" live
finish copy final
cmp "$top/data/orders.csv" final.out || wrong "a copy while both run"

# ---- what was edited counts; what is no envelope is a bad row ------------------------------------------------------------------------------
put edit.csv 'id,price\r\n1,5\r\n2,6\r\n'
expect 0 producer -q edit.csv edit
timeout 60 consumer -q -e -J edit | sed 's/"price":5/"price":7.50/' >edit.env
expect 0 producer -q -J edit.env edited
gives edited 'id,price\r\n1,7.50\r\n2,6\r\n'
printf '\xef\xbb\xbf{"value":"first"}\r\nnot json\n{"value":"second","ts":17}\n{"value":"x"\n\n{"key":"k"}\n{"value":"third"}' >mixed
sed -n '2p;4,6p' mixed >mixed.bad
expect 1 producer -J mixed bad
says err '^producer: mixed: line 2, byte 1: not JSON: neither true, false nor null; stopped'
gives bad 'first\n'
expect 7 producer -J --bad-rows kept --stats stats mixed bad
cmp kept mixed.bad || wrong "bad envelopes were not kept as they stood"
says err 'mixed: line 4, byte 13: not JSON'
says err 'mixed: line 5, byte 1: not JSON: it ends too early'
says err 'mixed: line 6, byte 1: an envelope has a "value"'
says stats '"records":3,.*"bad_rows":4,.*"exit":7}'
gives bad 'first\nsecond\nthird\n'
expect 7 producer -q -J -T --bad-rows skip mixed bad # the copy on stdout is the envelope as it stood
printf '\xef\xbb\xbf{"value":"first"}\r\n{"value":"second","ts":17}\n{"value":"third"}' | cmp - out || wrong "-J -T"
expect 1 producer -J d.env edit < <(:)
printf '{"value":{"id":1,"cost":2}}\n' >other.env
expect 1 producer -J other.env edit
says err 'topic edit: id,price'
printf '{"value":{"id":1,"price":2}}\n{"value":{"id":1,"cost":2}}\n' >other.env
expect 7 producer -J --bad-rows skip other.env edit
says err 'line 2, byte 19: column 2 differs from that of the topic'
printf '{"value":"%05000d"}\n' 1 >long.env
broker -q create small --size 4096
expect 1 producer -J long.env small
says err 'long.env: line 1, byte 1: the record is 5000 bytes long; the limit for a record is 4064'
for options in "-i csv" "-i ndjson" "-k x" "--key-col id" "-K :" "--columns a" "--no-header" "--sep ;" "-D x" "--timing at"; do
    # shellcheck disable=SC2086
    expect 2 producer -J $options edit.env edit
done
all_well "consumer -J a | producer -J b copies exactly"
