# shellcheck shell=bash
# expect.sh - what the tests of the programs share, beside scripts/lib.sh. To be sourced; the working directory is then $work.
# wrong counts a difference and goes on; all_well at the end fails if there was one.
own_options=1 # what a test runs itself again with is its own
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
cd "$work"
exec </dev/null # no test waits for a terminal
differences=0
patience=120 # seconds, which only ends a command that hangs

wrong() {
    printf 'line %s: %s\n' "${BASH_LINENO[-2]}" "$*"
    differences=$((differences + 1))
}
all_well() {
    [ $differences = 0 ] || fail "$differences differences"
    ok "$*"
}

# ---- commands ----
# expect STATUS COMMAND...: its output is left in ./out, its messages in ./err.
expect() {
    local want=$1 got=0
    shift
    timeout -k 1 "$patience" "$@" >out 2>err || got=$?
    [ $got = "$want" ] || wrong "$*: exit status $got, not $want: $(head -c 500 err)"
}
# ended NAME STATUS: what start has started ends by itself with that status.
ended() {
    local got=0
    wait "${pids[$1]}" || got=$?
    unset "pids[$1]"
    [ $got = "$2" ] || wrong "$1: exit status $got, not $2: $(tail -n 5 "$work/$1.err")"
}
# stop_with SIGNAL NAME STATUS: the same for what has to be told.
stop_with() {
    kill "-$1" "${pids[$2]}"
    ended "$2" "$3"
}
# kill9 NAME: it may be done already.
kill9() {
    kill -KILL "${pids[$1]}" 2>/dev/null || true
    wait "${pids[$1]}" 2>/dev/null || true
    unset "pids[$1]"
}
kill_broker() {
    kill -KILL "$broker_pid"
    wait "$broker_pid" 2>/dev/null || true
    broker_pid=
}

# ---- a clock that the test turns: clock turned|sleeps|alone COMMAND... (see clock/clock.h) ----
export MILLRACE_TEST_CLOCK=$work/clock
PATH=$bin/tests:$PATH
# on_clock MODE NAME...: what is begun from now on of these programs runs on it. off_clock: no longer.
on_clock() {
    local mode=$1 name
    shift
    off_clock
    clocked=$(mktemp -d "$work/clocked.XXXXXX") # which stays: what was just started may not have opened its script yet
    for name; do
        printf '#!/bin/sh\nexec clock %s "%s" "$@"\n' "$mode" "$bin/$name" >"$clocked/$name"
        chmod +x "$clocked/$name"
    done
    PATH=$clocked:$PATH
}
clocked=
off_clock() {
    PATH=${PATH#"${clocked:+$clocked:}"}
    hash -r
}
# pass TIME NAME...: so much time passes for what start has started, and "broker"; then all of them wait again, or have ended.
pass() {
    local time=$1 name ids=()
    shift
    for name; do
        if [ "$name" = broker ]; then ids+=("$broker_pid"); else ids+=("${pids[$name]}"); fi
    done
    clock pass "$time" "${ids[@]}" || wrong "$*: still busy"
}
# stop_turned SIGNAL NAME STATUS: as stop_with. A signal that comes just before a wait is seen after it, so the clock has to go on.
stop_turned() {
    kill "-$1" "${pids[$2]}"
    pass 1s "$2"
    ended "$2" "$3"
}

# ---- files ----
# put NAME TEXT: a file, as printf %b writes it.
put() { printf %b "$2" >"$1"; }
# says FILE PATTERN: a line of it matches.
says() { grep -qE -- "$2" "$1" || wrong "$1 does not say \"$2\": $(head -c 500 "$1")"; }
# says_not FILE PATTERN: no line of it does.
says_not() { ! grep -E -- "$2" "$1" >match || wrong "$1 says \"$2\": $(head -c 500 match)"; }
# is FILE TEXT: it is exactly that, whatever newlines it ends with.
is() { [ "$(cat "$1")" = "$2" ] || wrong "$1 is not \"$2\" but: $(head -c 500 "$1")"; }
# For wait_until: has FILE PATTERN; lines FILE N, at least; gone PID.
has() { grep -qE -- "$2" "$1" 2>/dev/null; }
lines() { [ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]; }
gone() { ! kill -0 "$1" 2>/dev/null; }

# ---- topics ----
# send TOPIC LINE...: a record each.
send() {
    local topic=$1
    shift
    printf '%s\n' "$@" | producer -q -i lines "$topic" || wrong "producer $topic"
}
# gives TOPIC TEXT: the topic, read to its end by the group t, is exactly that.
gives() {
    timeout 60 consumer -q -e -g t -f csv "$1" >got || wrong "consumer $1: $?"
    printf %b "$2" | cmp -s - got || wrong "$1 gives: $(head -c 500 got | od -c)"
}
# json TOPIC PATTERN...: what the group j still gets of it matches, one line each.
json() {
    local topic=$1 pattern n=0
    shift
    timeout 60 consumer -q -e -g j -J "$topic" >got || wrong "consumer $topic: $?"
    for pattern; do
        n=$((n + 1))
        sed -n "${n}p" got | grep -qE -- "$pattern" || wrong "record $n of $topic does not say \"$pattern\": $(sed -n "${n}p" got)"
    done
    [ "$(wc -l <got)" = $# ] || wrong "$topic has $(wc -l <got) records, not $#"
}
# content TOPIC FILE: the topic, from its beginning, is the file; -f csv.
content() {
    timeout 60 consumer -q -e -g "content-$RANDOM" -f csv "$1" >got || wrong "consumer $1: $?"
    cmp -s "$2" got || wrong "$1 is not $2: $(cmp "$2" got 2>&1)"
}
# figure TOPIC NAME: the first number that describe has under NAME.
figure() { broker -q -J describe "$1" | grep -o "\"$2\": *[0-9]*" | head -n 1 | grep -o '[0-9]*$'; }
figure_is() { [ "$(figure "$1" "$2")" = "$3" ]; }

# option_table SOURCE: the options of a program as its source lists them, "LONG|LETTER|KIND" each; what one has not is empty.
option_table() {
    sed -nE "s/^ *\{('(.)'|0), (\"([a-z-]+)\"|NULL), CLI_([A-Z_0-9]+).*/\4|\2|\5/p" "$1"
    # programs that use getopt_long
    sed -nE "s/^ *\{\"([a-z-]+)\", no_argument, NULL, ('(.)'|[A-Z_]+).*/\1|\3|FLAG/p
             s/^ *\{\"([a-z-]+)\", required_argument, NULL, ('(.)'|[A-Z_]+).*/\1|\3|TEXT/p" "$1"
    sed -n 's/.*getopt_long(argc, argv, "\([^"]*\)".*/\1/p' "$1" | tr -d ':+-' | grep -o . | sed 's/.*/|&|/'
}
option_longs() { option_table "$1" | cut -d'|' -f1 | grep . | sort -u; }
option_letters() { option_table "$1" | cut -d'|' -f2 | grep . | sort -u; }
