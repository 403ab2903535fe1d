#!/bin/bash
# run.sh - runs tests: one line each, the output of those that fail, and last "N passed, N failed, N skipped: NAME (reason)".
# Usage: tests/run.sh [NAME...]       NAME: check_csv, proc_storm, e2e_data, ...; without: all.     `make test` builds and calls it.
#   MILLRACE_BIN   where the programs are, bin/ if not set       MILLRACE_SAN  the sanitizers they were built with; valgrind: runs in it
#   JOBS           tests at a time [4 a CPU, for they mostly wait; with sanitizers one more than CPUs]
#   LIMIT          seconds after which a test counts as hung [600; 1200 with sanitizers]
#   GRACE          seconds that what a test has just killed may take to be gone [10]
# Exit: 0 each test that was asked for passed or was skipped, and at least one passed · 1 not so · 2 no such test
# A test finds: the top folder as working directory, MILLRACE_BIN (absolute), a bus of its own in MILLRACE_BUS, an empty TMPDIR. Buses
# that it names itself begin with $MILLRACE_BUS. It fails by its exit status, by taking too long (its process group is killed), and by
# leaving processes or segments behind. A source with the words "not under SAN=KIND: reason" is skipped when KIND is among MILLRACE_SAN;
# with thread, e2e tests run only if named, since the programs have one thread, but for e2e_into: a consumer's workers; with valgrind,
# all but the unit tests. A line "not tried: WHAT" in a test's output says which part of it this machine does not allow; the last line
# repeats it.
set -u
cd "$(dirname "$0")/.." || exit 1
MILLRACE_BIN=$(cd "${MILLRACE_BIN:-bin}" && pwd) || exit 1
export MILLRACE_BIN
san=${MILLRACE_SAN:-}
jobs=${JOBS:-$([ "$san" ] && echo $(($(nproc) + 1)) || echo $(($(nproc) * 4)))}
limit=${LIMIT:-$([ "$san" ] && echo 1200 || echo 600)}
export CK_DEFAULT_TIMEOUT="${CK_DEFAULT_TIMEOUT:-120}" CK_TIMEOUT_MULTIPLIER="${CK_TIMEOUT_MULTIPLIER:-$([ "$san" ] && echo 5 || echo 2)}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
basics=(check_text check_csv check_cond check_control check_segment check_client check_topic check_tx check_log check_member check_group)
# Those that take longest: begun first, so that the others fill up what they leave of the machine.
slow=(e2e_job e2e_sharing e2e_abuse e2e_kill e2e_produce_resume e2e_scripts check_model
    proc_consumer_signal e2e_produce_input e2e_command e2e_into e2e_roundtrip e2e_weather proc_storm)

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
    local left i
    left=$(processes "$$.")
    # shellcheck disable=SC2086  # a list of process ids
    [ "$left" ] && kill -TERM $left 2>/dev/null
    for ((i = 0; i < 100; i++)); do
        left=$(processes "$$.")
        [ "$left" ] || break
        sleep 0.05 # sleep:ok between two looks
    done
    # shellcheck disable=SC2086
    [ "$left" ] && kill -KILL $left 2>/dev/null
    remove "$(segments | grep "test-$$-")"
    exit "$1"
}
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

# The source of the test $1; nothing if there is no such test.
source_of() { compgen -G "tests/*/$1.c" || compgen -G "tests/*/$1.sh"; }

# All tests: the most basic first, so that what fails first says most; if several run at a time, the slow ones before them.
list() {
    local t path
    {
        [ "$jobs" -le 1 ] || printf '%s\n' "${slow[@]}"
        printf '%s\n' "${basics[@]}"
        for path in tests/{unit/check,process/proc}_*.c tests/program/e2e_*.sh; do
            t=${path##*/}
            echo "${t%.*}"
        done
    } | awk '!seen[$0]++' | while read -r t; do
        [ -z "$(source_of "$t")" ] || echo "$t"
    done
}

# skip_reason NAME SOURCE: why the test is not run in this build; nothing if it is.
skip_reason() {
    local name=$1 source=$2 kind
    [[ $source == *.sh && $san == *thread* && $name != e2e_into ]] && echo "the programs have one thread" && return
    [[ $name != check_* && $san == valgrind ]] && echo "valgrind is for the unit tests" && return
    for kind in ${san//,/ }; do
        sed -n "s|.*not under SAN=$kind: *\([^*]*[^* ]\).*|\1|p" "$source" | head -n 1
    done
}

# clear_up NUMBER: ends and removes what the test has left, and notes it in its log; 1: there was something, $what.
clear_up() {
    local left i log=$work/$1.log
    what=
    left=$(processes "$$.$1.")
    for i in $left; do
        echo "left running: $i $(tr '\0' ' ' <"/proc/$i/cmdline")" >>"$log"
        kill -KILL "$i"
        what=processes
    done 2>/dev/null
    left=$(segments | grep "test-$$-$1\b")
    if [ -n "$left" ]; then
        echo "left in /dev/shm: $left" >>"$log"
        remove "$left"
        what="${what:+$what, }segments"
    fi
    rm -rf "$work/$1.tmp"
    [ -z "$what" ]
}

# one NAME NUMBER: runs one test, prints its line, leaves pass, fail or skip in $work/NUMBER.result.
one() {
    local name=$1 id=$$.$2. log=$work/$2.log start=$EPOCHREALTIME verdict=pass note='' source command rc i what
    source=$(source_of "$name") command=$(source_of "$name")
    [[ $source != *.c ]] || command=$MILLRACE_BIN/tests/$name
    if [ $# -lt 3 ] && note=$(skip_reason "$name" "$source") && [ -n "$note" ]; then
        verdict=skip
        echo "$note" >"$work/$2.reason"
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
        for ((i = 0; i < 20 * ${GRACE:-10}; i++)); do
            [ -z "$(processes "$id")" ] && break
            sleep 0.05 # sleep:ok between two looks
        done
        clear_up "$2" || verdict=fail note="${note:+$note; }left behind: $what"
        sed -n 's/^not tried: *//p' "$log" >"$work/$2.part"
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
        [ "$(source_of "$t")" ] || { echo "run.sh: no such test: $t" >&2; exit 2; }
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

# A test counts by what its runner has left; one whose runner left nothing has failed.
passed=0 failed=0 skipped=0 skips='' parts=''
for ((n = 1; n <= ${#tests[@]}; n++)); do
    t=${tests[n - 1]} result=
    [ -e "$work/$n.result" ] && result=$(cat "$work/$n.result")
    case $result in
    pass) passed=$((passed + 1)) ;;
    fail) failed=$((failed + 1)) ;;
    skip)
        skipped=$((skipped + 1))
        skips="$skips$t|$(cat "$work/$n.reason")"$'\n'
        ;;
    *)
        clear_up $n
        printf 'fail %-32s (what ran it was killed%s)\n' "$t" "${what:+; left behind: $what}"
        failed=$((failed + 1))
        ;;
    esac
    [ -s "$work/$n.part" ] && parts="$parts${parts:+, }$t ($(paste -sd ';' "$work/$n.part"))"
done
left=$(segments | grep "test-$$-")
if [ -n "$left" ]; then
    printf 'fail %-32s\n' 'left in /dev/shm:'
    printf '%s\n' "$left" | sed 's/^/    /'
    remove "$left"
    failed=$((failed + 1))
fi
[ $((passed + failed + skipped)) -ge ${#tests[@]} ] || failed=$((${#tests[@]} - passed - skipped))
# What is skipped for the same reason stands together.
skips=$(printf %s "$skips" | awk -F '|' '{ if (!($2 in names)) order[++n] = $2; names[$2] = names[$2] " " $1 }
    END { for (i = 1; i <= n; i++) printf "%s%s (%s)", (i > 1 ? "," : ""), names[order[i]], order[i] }')
echo "$passed passed, $failed failed${skips:+, $skipped skipped:$skips}${parts:+; not tried: $parts}"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
