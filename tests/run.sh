#!/bin/bash
# run.sh - runs tests, the most basic first: one line each, the output of those that fail, and last "N passed, N failed".
# Usage: tests/run.sh [NAME...]       NAME: check_csv, proc_storm, e2e_data, ...; without: all.     `make test` builds and calls it.
#   MILLRACE_BIN   where the programs are, bin/ if not set       MILLRACE_SAN  the sanitizers they were built with; valgrind: runs in it
#   JOBS           tests at a time [1]                           LIMIT         seconds for one test [120; 300 with sanitizers]
# A test finds: the top folder as working directory, MILLRACE_BIN (absolute), a bus of its own in MILLRACE_BUS, an empty TMPDIR. Buses
# that it names itself begin with $MILLRACE_BUS. It fails by its exit status, by taking too long (its process group is killed), and by
# leaving processes or segments behind. A source with the words "not under SAN=KIND: reason" is skipped when KIND is among MILLRACE_SAN;
# with thread, e2e tests run only if named, since the programs have one thread, but for e2e_into: a consumer's workers; with valgrind,
# all but the unit tests.
set -u
cd "$(dirname "$0")/.." || exit 1
MILLRACE_BIN=$(cd "${MILLRACE_BIN:-bin}" && pwd) || exit 1
export MILLRACE_BIN
san=${MILLRACE_SAN:-}
jobs=${JOBS:-1}
limit=${LIMIT:-$([ "$san" ] && echo 300 || echo 120)}
export CK_TIMEOUT_MULTIPLIER="${CK_TIMEOUT_MULTIPLIER:-$([ "$san" ] && echo 10 || echo 4)}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
basics=" check_text check_csv check_cond check_control check_segment check_client check_topic check_tx check_log check_member check_group "

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# ThreadSanitizer needs the addresses where it expects them; newer kernels spread them too far.
wrap=()
if [[ $san == *thread* ]] && setarch -R true 2>/dev/null; then
    wrap=(setarch -R)
fi
if [ "$san" = valgrind ]; then
    wrap=(valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --num-callers=20)
fi

# The lines of $1 are segments of ours.
remove() { (cd /dev/shm && xargs -r rm -f --) <<<"$1"; }
segments() { (cd /dev/shm 2>/dev/null && ls) | grep '^millrace.*test-' | sort; }
# Processes whose environment says that this test started them.
# An id ends in "." so that test 2 is not taken for test 21.
processes() { grep -lsF "MILLRACE_TEST_ID=$1" /proc/[0-9]*/environ | cut -d/ -f3; }

interrupted() {
    local left
    left=$(processes "$$.")
    # shellcheck disable=SC2086  # a list of process ids
    [ "$left" ] && kill -TERM $left 2>/dev/null
    sleep 0.5
    left=$(processes "$$.")
    # shellcheck disable=SC2086
    [ "$left" ] && kill -KILL $left 2>/dev/null
    remove "$(segments | grep "test-$$-")"
    exit "$1"
}
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

list() {
    local t path
    for t in $basics; do
        [ -e "tests/$t.c" ] && echo "$t"
    done
    for path in tests/check_*.c tests/proc_*.c tests/e2e_*.sh; do
        t=${path##*/}
        t=${t%.*}
        [[ $path == *.sh && $san == *thread* && $t != e2e_into ]] && continue
        [[ $path != tests/check_* && $san == valgrind ]] && continue
        [ -e "$path" ] && [[ $basics != *" $t "* ]] && echo "$t"
    done
}

skip_reason() {
    local source=$1 kind
    for kind in ${san//,/ }; do
        sed -n "s|.*not under SAN=$kind: *\([^*]*\).*|\1|p" "$source" | head -n 1
    done
}

# one NAME NUMBER: runs one test, prints its line, leaves pass, fail or skip in $work/NUMBER.result.
one() {
    local name=$1 id=$$.$2. log=$work/$2.log start=$EPOCHREALTIME verdict=pass note='' source command rc left i
    if [ -e "tests/$name.c" ]; then
        source=tests/$name.c command=$MILLRACE_BIN/tests/$name
    else
        source=tests/$name.sh command=tests/$name.sh
    fi
    if [ $# -lt 3 ] && note=$(skip_reason "$source") && [ -n "$note" ]; then
        verdict=skip
    else
        mkdir "$work/$2.tmp"
        TMPDIR=$work/$2.tmp MILLRACE_BUS=test-$$-$2 MILLRACE_TEST_ID=$id \
            env --default-signal=INT,QUIT timeout -k 5 "$limit" "${wrap[@]}" "$command" >"$log" 2>&1 </dev/null
        rc=$?
        if [ $rc = 124 ] || [ $rc = 137 ]; then
            verdict=fail note="hung: killed after $limit s"
        elif [ $rc != 0 ]; then
            verdict=fail note="exit status $rc"
        fi
        # What was just killed may need a moment to be gone.
        for ((i = 0; i < 20; i++)); do
            left=$(processes "$id")
            [ -z "$left" ] && break
            sleep 0.05
        done
        if [ -n "$left" ]; then
            for i in $left; do
                echo "left running: $i $(tr '\0' ' ' <"/proc/$i/cmdline")" >>"$log"
                kill -KILL "$i"
            done 2>/dev/null
            verdict=fail note="${note:+$note; }processes left running"
        fi
        left=$(segments | grep "test-$$-$2\b")
        if [ -n "$left" ]; then
            echo "left in /dev/shm: $left" >>"$log"
            remove "$left"
            verdict=fail note="${note:+$note; }segments left in /dev/shm"
        fi
        rm -rf "$work/$2.tmp"
    fi
    {
        printf '%-4s %-32s %6.2f s%s\n' "$verdict" "$name" "$(echo "$start $EPOCHREALTIME" | awk '{ print $2 - $1 }')" "${note:+  ($note)}"
        [ "$verdict" = fail ] && tail -n 100 "$log" | sed 's/^/    /'
    } >"$work/$2.out"
    cat "$work/$2.out"
    echo "$verdict" >"$work/$2.result"
}

if [ $# -gt 0 ]; then
    tests=("$@") named=named
    for t in "${tests[@]}"; do
        [ -e "tests/$t.c" ] || [ -e "tests/$t.sh" ] || { echo "run.sh: no such test: $t" >&2; exit 2; }
    done
else
    mapfile -t tests < <(list)
    named=
fi
n=0 running=0
for t in "${tests[@]}"; do
    if [ $running -ge "$jobs" ]; then
        wait -n
        running=$((running - 1))
    fi
    n=$((n + 1))
    one "$t" $n ${named:+named} &
    running=$((running + 1))
done
wait

left=$(segments | grep "test-$$-")
passed=$(cat "$work"/*.result 2>/dev/null | grep -c pass)
failed=$(cat "$work"/*.result 2>/dev/null | grep -c fail)
if [ -n "$left" ]; then
    printf 'fail %-32s\n' 'left in /dev/shm:'
    printf '%s\n' "$left" | sed 's/^/    /'
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
