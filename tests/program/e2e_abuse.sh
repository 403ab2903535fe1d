#!/bin/bash
# e2e_abuse.sh - abuse: 256 MiB from a pipe and endless files with bounded memory, commands that write without end, records of
# 64 MiB in every format, rows of 10,000 columns, descriptors 0 to 2 closed, too few descriptors, hostile values for every option. Each ends with the right
# result or a clear error. (Bad rows, files that shrink: e2e_produce_input; readers that go away: e2e_wrong; what commands may do: e2e_command.)
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"
# lean MIB COMMAND...: with so much memory of its own, heap and stack; what it maps of topics does not count. Sanitizers need more than that.
lean() {
    # shellcheck disable=SC2317  # called through bash -c, too
    [ -n "${MILLRACE_SAN:-}" ] || ulimit -d $(($1 * 1024))
    exec "${@:2}"
}
export -f lean
# Is the limit one? 64 MiB do not fit into 32.
[ -n "${MILLRACE_SAN:-}" ] || ! (lean 32 perl -e '"x" x (64 << 20)' 2>/dev/null) || fail "ulimit -d limits nothing here"
[ -z "${MILLRACE_SAN:-}" ] || patience=250 # much is moved
start_broker

# ---- much ----------------------------------------------------------------------------------------------------------------------------
# 256 MiB from a pipe, into a topic of 4 MiB, drained meanwhile: every byte there, and neither program grows.
much() { yes "$(printf '%0.sabcdefghij' {1..12})" | head -c 256M; }
broker -q create flood --size 4M
start flood bash -c 'lean 24 consumer -q -f csv flood | cksum'
much | tee >(cksum >sent) | (lean 24 producer -q --seal flood) || wrong "producer flood: $?"
finish flood
wait_until "the sum of what was sent" test -s sent
same sent flood.out "256 MiB came through as something else"
broker -q delete flood

# Files without an end: refused when they are too long, not read to their end.
for how in lines csv file ndjson; do
    expect 1 bash -c "lean 160 producer -q -i $how /dev/zero endless"
    says err '^producer: /dev/zero: .*(row|file) is longer than [0-9]+ bytes'
done
expect 1 bash -c "lean 800 producer -q -J /dev/zero endless"
says err '^producer: /dev/zero: line 1, byte 1: the line is longer than [0-9]+ bytes'
expect 1 producer -q . endless
says err '^producer: \.: Is a directory'

# A command that writes 256 MiB, and one that never stops: memory stays small, and the output is whole, or as good as never written.
seq 3 | producer -q writes
mkdir tmp
export TMPDIR=$work/tmp
(lean 24 consumer -q -e -c 1 writes -- bash -c 'yes | head -c 256M') >big.out || wrong "a command that writes much: $?"
[ "$(stat -c %s big.out)" = $((256 << 20)) ] || wrong "256 MiB of output are $(stat -c %s big.out) bytes"
rm big.out
[ -z "$(ls tmp)" ] || wrong "left in TMPDIR: $(ls tmp)"
expect 7 bash -c 'lean 24 consumer -q -e -c 1 --tries 1 writes -- timeout 0.3 yes'
[ ! -s out ] || wrong "the output of a command that failed was printed"
expect 0 consumer -q -e writes
[ "$(cat out)" = 3 ] || wrong "after them: $(cat out)"

# One record of 64 MiB as it is, and of 16 MiB with nothing but what needs six bytes in JSON.
head -c 64M /dev/zero >zeros
broker -q create heavy --size 80M
expect 0 producer -q -i file -k 'k"' zeros heavy
expect 0 bash -c 'lean 300 consumer -q -e -g raw -D "" heavy | cmp - zeros'
expect 0 bash -c 'lean 300 consumer -q -e -g text -f "%o %s" heavy | wc -c'
[ "$(cat out)" = $(((64 << 20) + 2)) ] || wrong "64 MiB as text are $(cat out) bytes"
if [ -z "${MILLRACE_SAN:-}" ]; then # with too little memory it says so, and acknowledges nothing: see the next one
    expect 1 bash -c 'lean 24 consumer -q -e -g command heavy'
    says err '^consumer: .*(Cannot allocate memory|out of memory)'
fi
expect 0 bash -c 'lean 300 consumer -q -e -g command -D "" heavy -- cksum'
cmp -s out <(cksum <zeros) || wrong "64 MiB in a command are $(cat out)"
truncate -s 16M zeros
expect 0 producer -q -i file zeros heavy
expect 0 bash -c 'lean 300 consumer -q -e -g command -f json heavy | wc -c'
[ "$(cat out)" = $(((16 << 20) * 6 + 13)) ] || wrong "16 MiB of NUL as JSON are $(cat out) bytes"
broker -q delete heavy
rm zeros

# 10,000 columns, as JSON, as envelopes and back, filtered and selected; a hundred such rows in little memory.
{
    for ((i = 1; i < 10000; i++)); do printf 'c%s,' $i; done
    printf 'last\n'
    for ((i = 1; i < 10000; i++)); do printf '%s,' $((i % 100)); done | tee row
    for ((row = 2; row <= 100; row++)); do
        printf '%s\n' $((row - 1))
        cat row
    done
    printf '100\n'
} >wide.csv
expect 0 producer -q wide.csv wide
expect 0 bash -c 'lean 64 consumer -q -e -g json -f json wide | wc -l'
[ "$(cat out)" = 100 ] || wrong "100 wide rows are $(cat out) objects"
expect 0 bash -c 'lean 64 consumer -q -e -g env -J wide | lean 160 producer -q -J wide2'
content wide2 wide.csv
expect 0 bash -c 'lean 64 consumer -q -e -g some --where "last > 98 && c9999 == 99" --select last,c1 -f csv wide'
[ "$(xargs <out)" = "last,c1 99,1 100,1" ] || wrong "selected of a wide row: $(head -c 200 out)"

# ---- descriptors -----------------------------------------------------------------------------------------------------------------------
# No segment is opened in their place, to be written over by a message or read as input.
seq 3 >three
closed() {
    local want=$1 got=0
    shift
    timeout 60 bash -c "$*" >out 2>err || got=$?
    [ $got = "$want" ] || wrong "$*: exit status $got, not $want: $(head -c 300 err)"
}
closed 1 'producer -q closed <&-'
says err '^producer: standard input: Bad file descriptor'
closed 0 'producer three closed <&- >&- 2>&-'
closed 1 'producer nosuch closed <&- >&- 2>&-'
for option in --ids -T; do # before anything is sent
    closed 1 "producer -q $option three unsent >&-"
    says err '^producer: standard output: Bad file descriptor'
    closed 1 "producer -q $option three unsent 1<three"
    expect 4 broker describe unsent
done
for words in 'consumer -e closed' 'consumer --peek -e nosuch' 'consumer -q -e closed -- cat'; do # before anything is taken
    closed 1 "$words >&-"
    is err 'consumer: standard output: Bad file descriptor'
    closed 1 "$words 1<three"
    is err 'consumer: standard output: Bad file descriptor'
done
closed 0 'consumer -q -e -c 1 -g into --into outof closed <&- >&- -- cat' # which needs none
closed 0 'consumer -e -c 3 -g a closed <&- 2>&-'
[ "$(xargs <out)" = "1 2 3" ] || wrong "with descriptors closed: $(xargs <out)"
closed 4 'consumer -e --progress always --into outof nosuch <&- >&- 2>&- -- cat'
closed 0 'consumer -q -e -c 1 -g b closed <&- -- cat'
[ "$(cat out)" = 1 ] || wrong "a command of a consumer without standard input: $(cat out)"
closed 0 'consumer -q -e -c 1 -g b closed 2>&- -- cat'
for words in 'broker list' 'broker -J status' 'broker --help' 'producer --help' 'producer -V' 'consumer --help' 'consumer -V'; do
    closed 1 "$words >&-"
    says err "^${words%% *}: standard output: Bad file descriptor"
    closed 1 "$words >/dev/full"
    says err "^${words%% *}: standard output: No space left on device"
done
# Where nothing can be put in their place nothing else is done.
if unshare -m true 2>/dev/null; then
    for words in 'broker list' "broker -b $MILLRACE_BUS-closed" 'producer three closed' 'consumer -e closed' 'consumer -V'; do
        for number in 0 1; do
            closed 1 "exec unshare -m bash -c 'mount -t tmpfs tmpfs /dev && exec $words $number>&-'"
            is err "${words%% *}: descriptor $number is closed, and /dev/null cannot be opened in its place: No such file or directory"
        done
        closed 1 "exec unshare -m bash -c 'mount -t tmpfs tmpfs /dev && exec $words 2>&-'"
    done
else
    say "not tried: without /dev/null (unshare is not allowed)"
fi
closed 0 "broker -b $MILLRACE_BUS-closed -d <&- >&- 2>&-"
closed 0 "broker -b $MILLRACE_BUS-closed create t <&- >&- 2>&- && broker -q -b $MILLRACE_BUS-closed stop"
[ -z "$(find /dev/shm -name "millrace.*.$MILLRACE_BUS-closed*")" ] || wrong "a broker without descriptors leaves something"

# 2,000 files with 64 descriptors; and too few even for a bus.
mkdir many
(cd many && seq 2000 | split -l 1 -a 3 -)
closed 0 'ulimit -n 64; producer -q many/* files'
expect 0 consumer -q -e files
same <(seq 2000) out "of 2,000 files not each line came, in order"
for program in 'producer -q three closed' 'consumer -q -e closed' 'broker -q list' "broker -b $MILLRACE_BUS-few"; do
    closed 1 "ulimit -n 4; exec $program"
    says err "^${program%% *}: .*too many open files"
done
expect 0 broker -q -b "$MILLRACE_BUS-few" clean # an empty bus may be left, for the next broker to go on with

# ---- values ------------------------------------------------------------------------------------------------------------------------------
# Whatever an option is given: no crash, no hang, and if it is refused, one line says why. Nothing is sent or taken: there is no such bus.
long=$(head -c 100000 /dev/zero | tr '\0' 9)
values=('' -1 nan 18446744073709551616 '%{' '((' $'\\' $'\xff' "$long")
runs=0
for program in producer consumer broker; do
    source=$top/$program/options.c
    [ -e "$source" ] || source=$top/$program/arguments.c
    mapfile -t options < <(option_table "$source" | grep '^[a-z]' | grep -vE '(FLAG|BITS|NOW)$' | sed 's/|.*//; s/^/--/')
    [ ${#options[@]} -ge 10 ] || fail "only ${#options[@]} options in $source"
    for option in "${options[@]}"; do
        for value in "${values[@]}"; do
            runs=$((runs + 1)) got=0
            case $program in
            producer) set -- producer -b "$MILLRACE_BUS-no" --wait 0 "$option=$value" three values ;;
            consumer) set -- consumer -b "$MILLRACE_BUS-no" --wait 0 "$option=$value" values ;;
            broker) set -- broker -b "$MILLRACE_BUS-no" "$option=$value" ping ;;
            esac
            timeout 60 "$@" >out 2>err </dev/null || got=$?
            case $got in
            [1-6]) grep -q "^$program: " err || wrong "$program $option '${value:0:30}': exit status $got without a reason" ;;
            *) wrong "$program $option '${value:0:30}': exit status $got: $(head -c 200 err)" ;;
            esac
        done
    done
done
[ $runs -gt 400 ] || fail "only $runs runs"
for name in '' . .. a/b ../x 'a b' $'a\nb' -- -x "${long:0:200}" é; do
    [ "$name" = -- ] || expect 2 producer -q three -- "$name"
    [ "$name" = -- ] || expect 2 broker -q create -- "$name"
done
broker -q ping >/dev/null || wrong "the broker has not survived"
all_well "256 MiB with 24 MiB of memory, endless files and outputs, closed descriptors, $runs values"
