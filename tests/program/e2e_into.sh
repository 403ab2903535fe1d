#!/bin/bash
# e2e_into.sh - consumer TOPIC --into OTHER -- COMMAND: what becomes of its output, what does not fit, and that the result of each record is
# there exactly once, however often the consumer is killed.
# shellcheck disable=SC2016  # "$x" is for the command's shell
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"
seed=${SEED:-$RANDOM}
RANDOM=$seed
say "seed $seed"


start_broker

# ---- what the output becomes -------------------------------------------------------------------------------------------------
printf '%s\n' a=one b=two none c=drop d=end | producer -q -K = -H trace=7 in
expect 0 consumer -e --into results in -- sh -c 'read -r x; case $x in drop) ;; two) printf "two\r\n\nlast" ;; *) echo "$x!" ;; esac'
is out ''
says err 'created topic results'
says err '5 records, 0 B .*; 5 commands'
expect 0 consumer -q -e -J -g json results
cut -d, -f 3,5-8 "$work/out" | sed 's/"ts":[0-9]*,//' >"$work/json"
same "$work/json" - "the results are other ones" <<'EOF'
"offset":0,"key":"a","headers":{"trace":"7"},"try":1,"value":"one!"}
"offset":1,"key":"b","headers":{"trace":"7"},"try":1,"value":"two"
"offset":2,"key":"b","headers":{"trace":"7"},"try":1,"value":""}
"offset":3,"key":"b","headers":{"trace":"7"},"try":1,"value":"last"
"offset":4,"key":null,"headers":{"trace":"7"},"try":1,"value":"none!"}
"offset":5,"key":"d","headers":{"trace":"7"},"try":1,"value":"end!"}
EOF
expect 0 consumer -q -e -f csv results # the line ends are those of the output
printf 'one!\ntwo\r\n\nlast\nnone!\nend!\n' | cmp - "$work/out" || fail "the line ends are lost"
topic_lag in | grep -qx 0 || fail "in is not acknowledged"

# Delimiters: of what the command gets, and of what it gives.
printf 'x\ny\n' | producer -q words
expect 0 consumer -q -e --into zeros -0 words -- sh -c 'tr "\0" ,; printf "a\nb\0c"'
expect 0 consumer -q -e -0 zeros
tr '\0\n' '|/' <"$work/out" >"$work/zeros"
[ "$(cat "$work/zeros")" = 'x,a/b|c|y,a/b|c|' ] || fail "-0: $(cat "$work/zeros")"
expect 0 consumer -q -e -g whole --into whole -D '' words -- sh -c 'cat; echo; echo 2'
expect 0 consumer -q -e -D '|' whole
is out $'x\n2\n|y\n2\n|'
# A key keeps its partition. Records of a batch have none.
broker -q create parted --partitions 4
seq 100 | sed 's/.*/k&=&/' | producer -q -K = keyed
expect 0 consumer -q -e -j 3 --into parted keyed -- cat
seq 100 | sed 's/.*/k&=&/' | producer -q -K = parted2 --no-create 2>/dev/null && fail "parted2 exists"
broker -q create parted2 --partitions 4
seq 100 | sed 's/.*/k&=&/' | producer -q -K = parted2
for topic in parted parted2; do
    expect 0 consumer -q -e -f '%p %k %s\n' $topic
    sort "$work/out" >"$work/$topic"
done
same "$work/parted" "$work/parted2" "keys went to other partitions than a producer sends them to"
expect 0 consumer -q -e -g batch --batch 10 --into batched keyed -- sh -c 'cat >/dev/null; echo $MR_COUNT'
expect 0 consumer -q -e -f '%k|%s\n' batched
[ "$(cut -d '|' -f 2 "$work/out" | awk '{ n += $1 } END { print n }')" = 100 ] || fail "--batch: $(cat "$work/out")"
grep -qv '^|' "$work/out" && fail "--batch: a key"

# ---- what does not fit, and where nothing fits -------------------------------------------------------------------------------
broker -q create narrow --size 64k --max-record 1k
echo x | producer -q long
expect 7 consumer -q -e --tries 2 --into narrow long -- sh -c 'head -c 2000 /dev/zero | tr "\0" x'
expect 0 consumer -q -e -f '%h\n' long.dead
grep -q '^mr-reason=a record of its output has 2000 bytes, one of narrow can have [0-9]*,.*mr-tries=2,' "$work/out" || fail "too long: $(cat "$work/out")"
for lines in 90 100000; do # more bytes, more records than there is room for
    echo x | producer -q many
    expect 7 consumer -q -e --tries 1 --into narrow many -- sh -c "yes $(printf '%0900d' 0) | head -n $lines | $([ $lines = 90 ] && echo cat || echo 'tr -d 0')"
    expect 0 consumer -q -e -f '%h\n' many.dead
    grep -q '^mr-reason=its output .*does not fit into narrow' "$work/out" || fail "too much: $(cat "$work/out")"
done
[ "$(figure narrow records_in)" = 0 ] || fail "narrow has got something"
seq 3 | producer -q toseal
echo old | producer -q --seal sealed
expect 6 consumer -q --into sealed toseal -- cat
says err '^consumer: --into sealed: the topic is sealed$'
expect 6 consumer -q --into closes toseal -- sh -c "broker -q seal closes; cat"
says err '^consumer: toseal: --into closes: the topic is sealed$'
expect 0 consumer -q -e -f '%s %n' toseal -- sh -c 'cat; echo'
is out $'1 1\n2 1\n3 1'

# A full one is waited for; a signal ends that, and the record is given back with its result unsent.
broker -q create tight --size 4k
seq 400 | producer -q plenty
start full consumer -j 2 --into tight plenty -- cat
wait_until "the target is full" grep -q 'tight: full' "$work/full.err"
stop_with TERM full 143
start reader consumer -q -c 400 tight
expect 0 consumer -q -e --into tight plenty -- cat
finish reader
sort -n "$work/reader.out" | same - <(seq 400) "through a full topic: not each record once"

# ---- exactly once: killed at random moments ----------------------------------------------------------------------------------
# Each record gives two records in one step, or, every tenth, none. What is killed has 3 commands at work.
broker -q create work --size 4M
broker -q create results2 --size 4M --partitions 2
sent=0 kills=0 again=0
more() { # WHAT has more than N records, or the consumer has nothing left to do
    [ "$(figure results2 records_in)" -gt "$1" ] || [ "$(topic_lag work)" = 0 ]
}
while [ $kills -lt 40 ]; do
    if [ "$(topic_lag work)" -lt 300 ]; then
        seq $((sent + 1)) $((sent + 600)) | producer -q work
        sent=$((sent + 600))
    fi
    before=$(figure results2 records_in)
    start victim consumer -q -j 3 --batch $((1 + kills % 2)) --tries 1000 --into results2 work -- \
        sh -c '[ $MR_TRY = 1 ] || echo "$MR_OFFSET" >>"$0"; while read -r x; do case $x in *0) ;; *) echo "$x"; echo "$x'\''" ;; esac; done' "$work/again"
    wait_until "results" more $((before + RANDOM % 40))
    kill9 victim
    kills=$((kills + 1))
done
expect 0 consumer -q -e -j 2 --tries 1000 --into results2 work -- sh -c 'read -r x; case $x in *0) ;; *) echo "$x"; echo "$x'\''" ;; esac'
expect 0 consumer -q -e results2
seq $sent | awk '!/0$/ { print; print $1 "'\''" }' | sort >"$work/wanted"
sort "$work/out" >"$work/got"
same "$work/wanted" "$work/got" "after $kills kills: not the result of each record exactly once"
[ -s "$work/again" ] && again=$(wc -l <"$work/again")
[ "$again" -gt 10 ] || fail "only $again records were in hand when their consumer was killed: the test tests little"

all_well "$kills kills of a consumer: the results of $sent records exactly once, though $again were begun again"
