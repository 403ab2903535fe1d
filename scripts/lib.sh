# shellcheck shell=bash
# lib.sh - what the lessons here share: a private broker, commands that are shown and run, waiting
# for conditions, checks, and leaving nothing behind. To be sourced, by bash.
#   MILLRACE_BIN   where the programs are [bin/]
#   MILLRACE_BUS   the bus to use [one that only this script has]
# After sourcing: $top, $work (a folder that vanishes at the end), broker, producer and consumer in
# PATH, and the functions below. The comment at the top of a script is what its --help prints, and
# --slow[=SECONDS] has gone from its arguments. A script that has options of its own sets
# own_options before.
set -eu
export LC_ALL=C

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=$(cd "${MILLRACE_BIN:-$top/bin}" 2>/dev/null && pwd) || bin=
script=$(basename "$0" .sh)

# ---- arguments ----------------------------------------------------------------------------------
usage() {
    sed -n '2,/^$\|^[^#]/s/^# \{0,1\}//p' "$0"
    cat <<END

  --slow[=SECONDS]  waits before each step, 3 seconds unless told otherwise
  --help            prints this
END
}
slow=0 arguments=()
for argument; do
    case $argument in
    --help | -h) usage; exit 0 ;;
    --slow) slow=3 ;;
    --slow=?*) slow=${argument#*=} ;;
    -*)
        if [ -z "${own_options:-}" ]; then
            echo "$script: unknown option '$argument'; try --help" >&2
            exit 2
        fi
        arguments+=("$argument")
        ;;
    *) arguments+=("$argument") ;;
    esac
done
set -- "${arguments[@]}"
if [ ! -x "$bin/broker" ] || [ ! -x "$bin/producer" ] || [ ! -x "$bin/consumer" ]; then
    echo "$script: the programs are not built: run make first" >&2
    exit 1
fi
PATH=$bin:$PATH
export MILLRACE_BUS="${MILLRACE_BUS:-$script-$$}"
work=$(mktemp -d)
broker_pid=
declare -A pids=()

# Whatever happens, Ctrl-C included: no process, no segment, no file stays.
cleanup() {
    local status=$? pid
    set +e
    trap '' INT TERM
    for pid in "${pids[@]}"; do
        kill -TERM "$pid" 2>/dev/null && kill -CONT "$pid" 2>/dev/null
    done
    for pid in "${pids[@]}"; do
        wait "$pid" 2>/dev/null
    done
    [ -z "$broker_pid" ] || { kill -TERM "$broker_pid" && wait "$broker_pid"; } 2>/dev/null
    broker -q clean --all >/dev/null 2>&1
    rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- what is said -------------------------------------------------------------------------------
say() { printf '%s\n' "$*"; }
# step TEXT: what comes next. notice TEXT: what to look at in what was just shown.
step() { printf '\n%s\n' "$*"; }
notice() { printf '    Notice: %s\n' "$*"; }
# show TEXT: a command as one would type it; with --slow there is time to read it.
show() {
    printf '    $ %s\n' "$*"
    [ "$slow" = 0 ] || sleep "$slow"
}
# typed COMMAND...: the command as one would type it at the top of the tree: without -q, which only
# keeps the lesson short, without --stats FILE, which is for its checks, and with short file names.
typed() {
    local text='' word
    while [ $# -gt 0 ]; do
        word=${1#"$top/"}
        word=${word#"$work/"}
        case $1 in
        -q) ;;
        --stats) shift ;;
        *[!A-Za-z0-9_./=:,@%+-]*) text+=" '$word'" ;;
        *) text+=" $word" ;;
        esac
        shift
    done
    printf '%s' "${text# }"
}
# run COMMAND...: shows it and runs it. begin NAME COMMAND...: shows it and starts it.
run() {
    show "$(typed "$@")"
    "$@"
}
begin() {
    show "$(typed "${@:2}") &"
    start "$@"
}
begin_broker() {
    step "A broker serves the bus '$MILLRACE_BUS'."
    show "broker &"
    start_broker
}
# indent: standard input, four columns to the right, as what programs print.
indent() { sed 's/^/    /'; }
ok() { printf 'OK: %s\n' "$*"; }
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}
# same A B WHAT: fails, showing the first differences, unless both files are equal.
same() {
    cmp -s "$1" "$2" && return
    diff "$1" "$2" | head -n 10 >&2 || true
    fail "$3"
}

# shellcheck disable=SC2120  # the tests pass options
# start_broker [OPTION...] returns when producers may attach: the broker itself says so. Fails after
# a minute.
start_broker() {
    mkfifo "$work/ready"
    broker --ready-fd 3 "$@" 3>"$work/ready" 2>"$work/broker.err" &
    broker_pid=$!
    local ready=
    read -r -t 60 ready <"$work/ready" || true
    rm "$work/ready"
    [ "$ready" = READY ] || fail "the broker did not start: $(cat "$work/broker.err")"
}
# stop_broker checks that it ends well and leaves nothing.
stop_broker() {
    local status=0
    broker -q stop || fail "broker stop: exit status $?"
    wait "$broker_pid" || status=$?
    broker_pid=
    [ "$status" = 0 ] || fail "the broker ended with status $status: $(cat "$work/broker.err")"
    leftovers=$(find /dev/shm -maxdepth 1 \( -name "millrace.*.$MILLRACE_BUS" \
        -o -name "millrace.*.$MILLRACE_BUS.*" \))
    [ -z "$leftovers" ] || fail "left in /dev/shm: $leftovers"
}

# start NAME COMMAND...: in the background, with stdout in $work/NAME.out and stderr in
# $work/NAME.err; its pid is then in ${pids[NAME]}.
start() {
    local name=$1
    shift
    # Here and not in the child: so that no check finds the output of an earlier one of that name.
    truncate -s 0 "$work/$name.out" "$work/$name.err"
    "$@" >"$work/$name.out" 2>"$work/$name.err" </dev/null &
    pids[$name]=$!
}
# finish NAME...: waits for each to end by itself; fails, showing what it said, unless its status is
# 0.
finish() {
    local name status
    for name; do
        status=0
        wait "${pids[$name]}" || status=$?
        unset "pids[$name]"
        [ "$status" = 0 ] || fail "$name: exit status $status: $(tail -n 5 "$work/$name.err")"
    done
}
running() { kill -0 "${pids[$1]}" 2>/dev/null; }
# wait_until WHAT COMMAND...: tries 20 times a second until COMMAND succeeds; fails after a minute.
wait_until() {
    local what=$1 tries=0
    shift
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 1200 ] || fail "waited a minute in vain: $what"
        sleep 0.05
    done
}

# rows [FILE]: a CSV file's rows without the header, one per line even where a quoted field spans
# lines.
rows() {
    awk '{
        row = row == "" ? $0 : row "\034" $0
        if (gsub(/"/, "\"", row) % 2) next
        if (n++) print row
        row = ""
    }' "$@"
}
# number FILE NAME: the number that a JSON file of --stats has under NAME.
number() {
    sed -n 's/.*"'"$2"'" *: *\([-0-9.e+]*\).*/\1/p' "$1" | head -n 1
}
# holds CONDITION: arithmetic of awk, decimals included: holds "$blocked > 0.5".
holds() { awk "BEGIN { exit !($1) }"; }

# topic_lag TOPIC: how many records the group that is furthest behind has not acknowledged; 0 while
# no group exists.
topic_lag() {
    broker -q -J describe "$1" 2>/dev/null | grep -o '"lag": *[0-9]*' |
        awk -F: '$2 > most { most = $2 } END { print most + 0 }'
}
