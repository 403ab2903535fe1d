#!/bin/bash
# e2e_produce_resume.sh - producer --resume: killed at any moment (kill -9), the same command goes on after the last row that the topic has: none missing,
# none twice, in order. One and four partitions, with and without keys, a topic so small that it is overwritten many times; then what it refuses.
. "$(dirname "$0")/../shared/expect.sh"
start_broker
kills=0 lives=0

# Rows of all lengths, some malformed, so that numbers, rows and records are not the same; the key is the second field.
awk 'BEGIN {
    srand(7)
    print "n,key,text"
    for (i = 1; i <= 30000; i++) {
        text = substr("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", 1, int(rand() * 50))
        if (i % 97 == 0) printf "%d,k%d,\"two\nlines\"\n", i, i % 13
        else if (i % 501 == 0) printf "%d,k%d,x\"%s\n", i, i % 13, text
        else printf "%d,k%d,%s\n", i, i % 13, text
    }
}' >rows.csv
expect 7 producer -n --bad-rows bad rows.csv t
grep -vxFf bad rows.csv >good.csv

# survive TOPIC OPTION...: the same command, killed at random moments until it comes through. Its last exit status is 7: there are bad rows.
survive() {
    local topic=$1 status=137 round=0 us
    shift
    while [ $status = 137 ]; do
        round=$((round + 1))
        [ $round -lt 200 ] || fail "$topic: still not done after 200 lives"
        lives=$((lives + 1))
        producer -q --resume --bad-rows "$topic.bad" --stats "$topic.stats" "$@" rows.csv "$topic" 2>"$topic.err" &
        pids[life]=$!
        us=$((RANDOM * 32768 + RANDOM))
        # Most early, where it starts and looks, the others anywhere; the tenth may live.
        if [ $((round % 10)) != 0 ]; then
            sleep "$(awk "BEGIN { u = $us / 1073741824; printf \"%.6f\", u * u * 0.16 }")"
            kill -9 "${pids[life]}" 2>/dev/null || true
        fi
        status=0
        wait "${pids[life]}" 2>/dev/null || status=$?
        unset "pids[life]"
        [ $status != 137 ] || kills=$((kills + 1))
    done
    [ $status = 7 ] || wrong "$topic: exit status $status: $(cat "$topic.err")"
    cmp -s bad "$topic.bad" || wrong "$topic: the bad rows are not all in their file"
}
# came_through TOPIC OPTION...: what the consumer got is the file's good rows, each once; per partition (and so per key) in their order.
came_through() {
    local topic=$1
    broker -q seal "$topic"
    finish "$topic"
    # "partition<TAB>row" with rows on one line each
    tr '\n\001' '\001\n' <"$work/$topic.out" | sed 's/^\x01*//' >"$topic.all"
    cut -f 2- "$topic.all" | sort | cmp - good.sorted || wrong "$topic: rows are missing or twice: $(cut -f 2- "$topic.all" | sort | diff - good.sorted | head -n 4)"
    awk -F '\t' '{ split($2, f, ","); if (f[1] + 0 <= last[$1] + 0) { print "partition " $1 ": " f[1] " after " last[$1]; exit 1 } last[$1] = f[1] }' "$topic.all" ||
        wrong "$topic: out of order"
}
# The good rows, each on one line, line ends in them as byte 1.
tail -n +2 good.csv | awk '{ row = row == "" ? $0 : row "\001" $0; if (gsub(/"/, "\"", row) % 2) next; print row; row = "" }' | sort >good.sorted

# The four cases, and again until there were 30 kills: how many a life takes depends on the machine.
for ((n = 0; n < 4 || (kills < 30 && n < 40); n++)); do
    partitions=$((n % 2 * 3 + 1)) topic=topic$n options=() slow=()
    # Half of the lives end while they wait for room, half while they keep to a rate.
    if [ $((n / 2 % 2)) = 0 ]; then
        options=(--key-col key) slow=(--delay 1us)
    else
        options=(-r 40k)
    fi
    broker -q create "$topic" --size $((partitions * 64))k --partitions $partitions
    start "$topic" consumer -q "${slow[@]}" -f "%p\t%s"$'\001' "$topic"
    survive "$topic" "${options[@]}"
    came_through "$topic"
    [ ${#slow[@]} != 0 ] || [ $partitions = 1 ] || [ "$(cut -f 1 "$topic.all" | sort -u | wc -l)" = 4 ] || wrong "rows without keys are not spread"
done
echo "$kills kills in $lives lives"
[ $kills -ge 30 ] || fail "only $kills kills"

# ---- the whole file, a longer one, another one ------------------------------------------------------------------------------------------
seq -f 'n%g' 5000 >lines
broker -q create again --partitions 3
expect 0 producer --resume -c 2100 lines again
says err 'again: 2,100 records'
expect 0 producer --resume --stats stats lines again
says err '^producer: lines: again has its rows up to number 2100; continuing after them$'
says err 'again: 2,900 records, .* 2,100 already there'
says stats '"records":2900,.*"resumed":2100,.*"exit":0}'
expect 0 producer --resume --stats stats lines again
says err '^producer: lines: all 5000 rows are already in again; nothing was sent$'
says stats '"records":0,.*"resumed":5000,.*"exit":0}'
printf 'more\nand ' >>lines
expect 0 producer --resume lines again # "and " is a row without a line end
says err 'again: 2 records'
ln -s lines link
mkdir sub
expect 0 producer --resume ./link again # the same file by another name
says err 'again: 0 records'
(cd sub && producer -q --resume ../lines again) || wrong "from another folder: $?"
timeout 60 consumer -q --peek -o beginning -e -f csv again | sort >got
printf 'more\nand \n' | sort - <(seq -f 'n%g' 5000) >want
cmp want <(sed 's/^and $/and /' got) || wrong "again: rows are missing or twice"
printf 'then\n' >>lines # the last row has become another one
expect 1 producer --resume lines again
says err '^producer: lines: not the file whose rows again has: row 5002 differs; nothing was sent'
sed -i 's/^n4900$/changed/' lines
expect 1 producer --resume lines again
head -n 100 lines >short && mv short lines
expect 1 producer --resume lines again
says err 'row 5002 is missing'
: >lines
expect 1 producer --resume lines again
expect 0 producer --resume -i csv --no-header lines again # read another way it is another source
timeout 60 consumer -q --peek -o beginning -e again | wc -l | grep -qx 5002 || wrong "a refused file was sent in part"

# The header is no row, CRLF and byte order marks do not matter, a file of one record, envelopes, -p, several FILEs.
printf '\xef\xbb\xbfid,t\r\n1,a\r\n2,b' >a.csv
cp a.csv b.csv
broker -q create files --partitions 2
for round in 1 2; do
    expect 0 producer --resume -p 1 a.csv b.csv files
    expect 0 producer --resume -i file a.csv whole
    expect 0 producer --resume -k fixed a.csv keyed
done
says err 'a.csv: all 2 rows are already in keyed'
gives files '\xef\xbb\xbfid,t\r\n1,a\r\n2,b\r\n1,a\r\n2,b'
timeout 60 consumer -q -e -J whole | wc -l | grep -qx 1 || wrong "-i file"
timeout 60 consumer -q --peek -o beginning -e -J files >rows.env
for round in 1 2; do expect 0 producer --resume -J rows.env copy; done
says err 'rows.env: all 4 rows are already in copy'
timeout 60 consumer -q --peek -o beginning -e -J copy | sed 's/"topic":"copy","partition":0/"topic":"files","partition":1/' | cmp - rows.env || wrong "-J --resume"

# --seal is done even if the kill came just before it; when all is done nothing is wrong.
expect 0 producer -q --resume --seal a.csv sealed
expect 0 producer --resume --seal a.csv sealed
says err 'a.csv: all 2 rows are already in sealed'
printf '\n3,c' >>a.csv
expect 6 producer --resume a.csv sealed # the second row is as it was, but there is a third
says err 'sealed: after 0 accepted records: the topic is sealed'
broker -q delete keyed --force
expect 0 producer --resume -k fixed b.csv keyed # a new topic of that name has nothing
says err 'keyed: 2 records'

# A file that grows, read by -F, across kills.
: >log
for ((i = 0; i < 6; i++)); do
    producer -q -F --resume log grown 2>grown.err &
    pids[grown]=$!
    seq $((i * 500 + 1)) $((i * 500 + 500)) >>log
    printf 'half%s' "$i" >>log
    timeout 60 consumer -q -c 500 grown >>grown.out || wrong "consumer grown: $?"
    kill9 grown
    truncate -s -5 log
done
seq 3000 | cmp - grown.out || wrong "-F --resume: rows are missing or twice"
start grown producer -F --resume log grown
wait_until "it has read all" has grown.err 'read to its end'
printf 'new\n' >log.new
mv log.new log
ended grown 1
says grown.err 'log: replaced by another file, and --resume counts the rows of one file only'

# Two at a time would send everything twice.
broker -q create busy --size 4096
seq 2000 >busy
start busy producer --resume busy busy
wait_until "the topic is full" has busy.err full
expect 1 producer --resume busy busy
says err 'busy: another producer --resume is sending it to busy; waiting'
says err 'busy: another producer --resume is sending it to busy; two would'
if unshare -n true 2>/dev/null; then
    expect 1 unshare -n "$MILLRACE_BIN/producer" --resume busy busy
    says err 'busy: another producer --resume is sending it to busy; two would'
else
    say "not tried: another network namespace (unshare is not allowed)"
fi
expect 0 producer -q --resume busy elsewhere # another topic is another matter
stop_with INT busy 130
# Nor does the file have to be one that may be written to, and a kill leaves nothing.
chmod 400 busy
start killed producer --resume busy busy
wait_until "the topic is full" has killed.err full
kill9 killed
start next producer --resume busy busy
wait_until "the next one has the lock" has next.err full
stop_with INT next 130

# ---- what a dead producer had begun ----------------------------------------------------------------------------------------------------
seq 3000 >begun
broker -q create begun --size 4096
start begun producer --resume begun begun
wait_until "the topic is full" has begun.err full
kill9 begun
start drain consumer -q -g drain -o beginning --drain begun
ended drain 8
start rest producer --resume begun begun
consumer -q -g drain begun >/dev/null &
pids[taker]=$!
finish rest
stop_with INT taker 130
expect 0 consumer -q -g drain --drain begun
figure_is begun producers_died 0 || wrong "a producer still counts as dead"
# Nor when the kill came after the last row; nor in a topic that is sealed.
producer -q -F --resume begun begun &
pids[late]=$!
seq 3001 3010 >>begun
expect 0 consumer -q -c 10 -g drain begun
kill9 late
expect 8 consumer -q -g drain --drain begun
expect 0 producer --resume --seal begun begun
says err 'all 3010 rows are already in begun'
expect 0 consumer -q -g drain --drain begun

# ---- as many files as a topic can remember -----------------------------------------------------------------------------------------------
mkdir many
for ((i = 0; i < 128; i++)); do
    echo $i >many/$i
    producer -q --resume many/$i many || wrong "many/$i: $?"
done
echo 128 >many/128
expect 1 producer --resume many/128 many
says err '^producer: many/128: many already remembers 128 other files .*broker forget-source many FILE'
figure_is many records_in 128 || wrong "many has $(figure many records_in) records"
for ((i = 0; i < 128; i += 50)); do
    expect 0 producer --resume many/$i many # none was forgotten
    says err 'nothing was sent'
done
expect 1 broker forget-source many many/128
says err '^broker: many: has no rows of many/128 from producer --resume, or has already forgotten it$'
expect 4 broker forget-source nosuch many/128
expect 1 broker forget-source many many/nofolder/x
expect 2 broker forget-source many
rm many/7
expect 0 broker forget-source many many/7
says err '^broker: many: forgot many/7: producer --resume now sends it from its start$'
expect 1 broker forget-source many many/7
expect 0 producer --resume many/128 many
says err 'many: 1 record'
expect 1 producer --resume -k key many/1 many # read another way it is another source
# logrotate: another file has the path.
printf 'a\nb\n' >many/1
expect 1 producer --resume many/1 many
says err 'not the file whose rows many has.*broker forget-source many many/1'
cd many
expect 0 broker -q forget-source many ./1
cd ..
expect 0 producer --resume many/1 many
says err 'many: 2 records'

# ---- refused --------------------------------------------------------------------------------------------------------------------------
mkfifo pipe
for line in "--resume t" "--resume - t" "--resume pipe t" "--resume --repeat 2 lines t" "--resume --skip 1 lines t" "--resume -n lines t"; do
    # shellcheck disable=SC2086
    expect 2 producer $line </dev/null
done
expect 1 producer --resume nofile t
all_well "--resume: $kills kills in $lives lives, nothing missing, nothing twice"
