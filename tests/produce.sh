# shellcheck shell=bash
# produce.sh - what the tests of the producer share, beside scripts/lib.sh. To be sourced; the working directory is then $work.
# wrong counts a difference and goes on; all_well at the end fails if there was one.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../scripts/lib.sh"
cd "$work"
bad=0

wrong() {
    printf 'line %s: %s\n' "${BASH_LINENO[1]}" "$*"
    bad=$((bad + 1))
}
# expect STATUS COMMAND...: its output is left in ./out, its messages in ./err.
expect() {
    local want=$1 got=0
    shift
    timeout -k 1 20 "$@" >out 2>err || got=$?
    [ $got = "$want" ] || wrong "$*: exit status $got, not $want: $(head -c 500 err)"
}
says() { grep -qE -- "$2" "$1" || wrong "$1 does not say \"$2\": $(head -c 500 "$1")"; }
# gives TOPIC TEXT: the topic, read to its end by the group t, is exactly that.
gives() {
    timeout 20 consumer -q -e -g t -f csv "$1" >got || wrong "consumer $1: $?"
    printf %b "$2" | cmp -s - got || wrong "$1 gives: $(head -c 500 got | od -c)"
}
# json TOPIC PATTERN...: what the group j still gets of it matches, one line each.
json() {
    local topic=$1 pattern n=0
    shift
    timeout 20 consumer -q -e -g j -J "$topic" >got || wrong "consumer $topic: $?"
    for pattern; do
        n=$((n + 1))
        sed -n "${n}p" got | grep -qE -- "$pattern" || wrong "record $n of $topic does not say \"$pattern\": $(sed -n "${n}p" got)"
    done
    [ "$(wc -l <got)" = $# ] || wrong "$topic has $(wc -l <got) records, not $#"
}
# ended PID STATUS
ended() {
    local got=0
    wait "$1" || got=$?
    [ $got = "$2" ] || wrong "exit status $got, not $2"
}
# put NAME TEXT: a file, as printf %b writes it.
put() { printf %b "$2" >"$1"; }
# has FILE PATTERN: for wait_until.
has() { grep -qE -- "$2" "$1" 2>/dev/null; }
# content TOPIC FILE: the topic, from its beginning, is the file; -f csv.
content() {
    timeout 60 consumer -q -e -g "content-$RANDOM" -f csv "$1" >got || wrong "consumer $1: $?"
    cmp -s "$2" got || wrong "$1 is not $2: $(cmp "$2" got 2>&1)"
}
# stop_with SIGNAL NAME STATUS: ends what start has started.
stop_with() {
    kill "-$1" "${pids[$2]}"
    ended "${pids[$2]}" "$3"
    unset "pids[$2]"
}
all_well() {
    [ $bad = 0 ] || fail "$bad differences"
    ok "$*"
}
