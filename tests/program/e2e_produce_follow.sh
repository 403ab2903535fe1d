#!/bin/bash
# e2e_produce_follow.sh - producer -F: a file that grows, by bits, is cut, is replaced; nothing twice, nothing lost, and it idles while it waits.
. "$(dirname "$0")/../shared/expect.sh"
start_broker

# follow NAME FILE TOPIC [OPTION...]: starts it, and waits until it has read what is there.
follow() {
    local name=$1 file=$2 topic=$3
    shift 3
    start "$name" producer -F "$@" "$file" "$topic"
    wait_until "$name has read $file" has "$name.err" 'read to its end, waiting for more'
}
# gets NAME N: the N-th next record of the topic NAME, however long it takes.
gets() { timeout 60 consumer -q -c "$2" -f csv -g live "$1" >got || wrong "consumer $1: $?"; }

# ---- it grows ------------------------------------------------------------------------------------------------------------------
put grow 'one\ntwo\nthr'
follow grow grow grow
gets grow 2
is got $'one\ntwo'
printf 'ee\nfour\n\nx' >>grow # the beginning of a line has waited for its end
gets grow 3
is got $'three\nfour'
printf '\r' >>grow
printf '\nlast' >>grow
gets grow 1
is got $'x\r'
stop_with INT grow 130
says grow.err '^producer: grow: 6 records, '
content grow <(printf 'one\ntwo\nthree\nfour\n\nx\r\n') # "last" was no line yet
content grow <(printf 'one\ntwo\nthree\nfour\n\nx\r\n')

# CSV: the header is not a record, a quoted line end is no end, what one adds in between is taken at once.
put grow.csv 'id,text\r\n1,"a\n'
start csv producer -F --stats stats grow.csv csv
wait_until "the topic is there" broker -q wait csv --for exists --timeout 60s
printf 'b"\r\n2,' >>grow.csv
gets csv 1
is got $'id,text\r\n1,"a\nb"\r'
printf 'c\r\n' >>grow.csv
gets csv 1
is got $'id,text\r\n2,c\r'
stop_with TERM csv 143
says stats '"records":2,.*"exit":143}'
[ "$(broker -J describe csv | grep -o '"sealed": *[a-z0-9]*')" != '"sealed":true' ] || wrong "a signal sealed the topic"

# -c ends it; then --seal does its work.
put few 'a\nb\n'
start count producer -F -c 3 --seal few few
printf 'c\nd\n' >>few
finish count
content few <(printf 'a\nb\nc\n')
broker -q wait few --for sealed --timeout 60s || wrong "not sealed"

# ---- it is cut ------------------------------------------------------------------------------------------------------------------
put cut.csv 'n\n1\n2\nhalf'
follow cut cut.csv cut
put cut.csv 'n\n3\n'
wait_until "the cut was seen" has cut.err 'cut.csv: cut short; reading it from its start'
printf '4\n' >>cut.csv
gets cut 5
is got $'n\n1\n2\nhalf\n3\n4'
: >cut.csv
printf 'm\n5\n' >>cut.csv # another header than that of the topic
ended cut 1
says cut.err 'cut.csv: the header differs from that of'

# ---- it is replaced ---------------------------------------------------------------------------------------------------------------
put log 'a1\na2\n'
follow log log log
exec 4>>log # the writer has it open while it is renamed, and goes on for a moment
mv log log.1
printf 'a3\n' >&4
wait_until "it is gone" has log.err 'log: gone; waiting for another file of this name'
printf 'a4\nhalf' >&4
exec 4>&-
put log 'b1\n'
wait_until "the new one was seen" has log.err 'log: replaced by another file; reading it from its start'
printf 'b2\n' >>log
gets log 7
is got $'a1\na2\na3\na4\nhalf\nb1\nb2'
put log.new 'c1\n'
exec 4>>log
mv log.new log # renamed over it, while the writer has a last line to write
printf 'b3\n' >&4
exec 4>&-
gets log 2
is got $'b3\nc1'
rm log
put log 'd1\n' # perhaps of the same inode number
gets log 1
is got d1

# ---- it is replaced more often than it looks -----------------------------------------------------------------------------------------
# Stopped, it sees all of it at once, and late.
mkdir logs
put logs/app 'one\n'
follow quick logs/app quick
kill -STOP "${pids[quick]}"
for text in two three four five; do
    mv logs/app logs/app.tmp
    [ ! -e logs/app.1 ] || mv logs/app.1 "logs/app.$text"
    mv logs/app.tmp logs/app.1
    put logs/app "$text\n"
done
put logs/other 'not this\n'
mv logs/other logs/another
kill -CONT "${pids[quick]}"
gets quick 5
is got $'one\ntwo\nthree\nfour\nfive'
# Renamed over: the file between is nowhere any more, which is said.
kill -STOP "${pids[quick]}"
for text in lost six; do
    put logs/app.new "$text\n"
    mv logs/app.new logs/app
done
kill -CONT "${pids[quick]}"
gets quick 1
is got six
says quick.err '^producer: logs/app: another file had this name and was gone before it could be opened; its lines are lost'
# Away and back again is the same file; so is one that only got another name beside.
kill -STOP "${pids[quick]}"
mv logs/app logs/app.back
mv logs/app.back logs/app
ln logs/app logs/app.link
printf 'seven\n' >>logs/app
kill -CONT "${pids[quick]}"
gets quick 1
is got seven
# Removed, and one that was there only for a moment.
kill -STOP "${pids[quick]}"
mv logs/app logs/app.old
put logs/app 'short\n'
rm logs/app
put logs/app 'eight\n'
printf 'seven and a half\n' >>logs/app.old
kill -CONT "${pids[quick]}"
gets quick 2
is got $'seven and a half\neight'
# Through a link, which is turned.
put logs/day1 'nine\n'
ln -s day1 logs/today
follow link logs/today link
kill -STOP "${pids[link]}"
for text in ten eleven; do
    put "logs/$text" "$text\n"
    ln -s "$text" logs/today.new
    mv -T logs/today.new logs/today
done
kill -CONT "${pids[link]}"
gets link 2
is got $'nine\neleven' # ten: the link is gone with what it said
says link.err 'was gone before it could be opened'
stop_with INT link 130
# Each time in the time that one look takes, with the producer running.
for ((round = 0; round < 12; round++)); do
    mv logs/app "logs/app.$round"
    put logs/app "$round\n"
done
gets quick 12
seq 0 11 | cmp - got || wrong "12 files: $(xargs <got)"
stop_with INT quick 130
[ "$(grep -c 'are lost' quick.err)" = 2 ] || wrong "lost, it says: $(grep lost quick.err)"
# A topic that is full holds the reading up, and what happens to the files meanwhile is not missed.
broker -q create full --size 4096
seq 2000 >behind
start behind producer -F behind full
wait_until "the topic is full" has behind.err 'full'
for ((round = 0; round < 3; round++)); do
    mv behind "behind.$round"
    seq $((2001 + round * 10)) $((2010 + round * 10)) >behind
done
gets full 2030
seq 2030 | cmp - got || wrong "behind: $(tail -n 40 got | xargs)"
stop_with INT behind 130

# ---- it idles ----------------------------------------------------------------------------------------------------------------------
stop_with INT log 130
mkdir quiet # nothing else happens in this folder
put quiet/still 'a\n'
start still clock turned producer -F quiet/still still
wait_until "it has read it" figure_is still records_in 1 2>/dev/null
pass 0s still
before=$(clock waits "${pids[still]}")
pass 499ms still
says_not still.err 'to its end'
pass 1ms still
says still.err 'quiet/still: read to its end, waiting for more'
pass 9500ms still
looks=$(($(clock waits "${pids[still]}") - before))
[ $looks = 40 ] || wrong "it looked $looks times in 10 s, not every 250 ms"
stop_turned INT still 130

# ---- many lines while it reads, by a writer that rotates ------------------------------------------------------------------------------
some_of() { [ "$(figure many records_in 2>/dev/null)" -ge "$1" ] 2>/dev/null; }
: >many
start many producer -q -F --stats many.stats many many
{
    for ((round = 0; round < 20; round++)); do
        seq $((round * 1000 + 1)) $((round * 1000 + 1000)) >>many
        wait_until "some of it is read" some_of $((round * 1000 + 1 + RANDOM % 1000))
        # Only what was read may be cut off; a rename loses nothing.
        if [ $((round % 4)) = 3 ]; then
            mv many "many.$round"
            : >many
        fi
    done
} &
writer=$!
timeout 60 consumer -q -c 20000 many >got || wrong "consumer many: $?"
wait $writer
seq 20000 | cmp - got || wrong "many lines"
stop_with INT many 130
[ "$(number many.stats records)" = 20000 ] || wrong "--stats counts $(number many.stats records)"

# ---- what cannot be followed -----------------------------------------------------------------------------------------------------------
mkfifo pipe
expect 1 producer -F nofile t
says err '^producer: nofile: No such file'
for line in "-F - t" "-F t" "-F pipe t" "-F few log t" "-F --repeat 2 few t" "-F -i file few t"; do
    # shellcheck disable=SC2086
    expect 2 producer $line </dev/null
done
all_well "-F goes on with a file that grows, is cut or replaced"
