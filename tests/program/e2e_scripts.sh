#!/bin/bash
# e2e_scripts.sh - every script that people run ends by verifying what it shows; here each runs in a quick form, and Ctrl-C leaves nothing.
set -u
bus=${MILLRACE_BUS:-test-$$}
out=${TMPDIR:-/tmp}/e2e_scripts.$$
trap 'rm -f "$out"' EXIT
failed=0 ran=

segments() { find /dev/shm -maxdepth 1 -name "millrace.*.$1*"; }
# run SCRIPT [ARG...]: must succeed, print a line that starts with "OK: ", and clean up.
run() {
    local name=$1 this=$bus-${1%%.*} status=0 left
    shift
    ran+=" $name "
    this=${this:0:32}
    MILLRACE_BUS=$this "scripts/$name" "$@" >"$out" 2>&1 || status=$?
    left=$(segments "$this")
    if [ $status != 0 ] || ! grep -q '^OK: ' "$out" || [ -n "$left" ]; then
        echo "$name: exit status $status${left:+, left: $left}"
        sed 's/^/    /' "$out"
        failed=1
    else
        echo "$name: $(grep '^OK: ' "$out")"
    fi
}
run demo.sh
run one-to-one.sh 5000
run many-to-many.sh 3 3 2000
run bounded-buffer.sh 30 50ms
run round-robin.sh 5
run groups.sh 3 2000
run shards.sh 4 2
run experiment.sh -p 2 -c 2 -n 5000
run link-check.sh 40 3
run experiment.sh -p 1 -c 2 -m 10 --cdelay 2ms -t 1
run csv-lab.sh 30 10ms 2
run jobs.sh 40 2
run kinesis.sh 4 1000
while read -r script; do
    [[ $ran == *" ${script##*/} "* ]] || { echo "$script is not run here" && failed=1; }
done < <(grep -l '^ok ' scripts/*.sh)

# Interrupted in the middle: 130, and nothing stays.
this=$bus-int
# (Leak detection at exit has a helper process that the signal may kill; the program then waits for it for ever.)
ASAN_OPTIONS=detect_leaks=0 MILLRACE_BUS=$this env --default-signal=INT scripts/bounded-buffer.sh 1000 1s >"$out" 2>&1 &
script=$!
for ((i = 0; i < 200; i++)); do
    grep -q 'waiting in the buffer' "$out" && break
    sleep 0.05
done
kill -INT $script
status=0
wait $script || status=$?
if [ $status != 130 ] || [ -n "$(segments "$this")" ]; then
    echo "interrupted: exit status $status, left: $(segments "$this")"
    sed 's/^/    /' "$out"
    failed=1
fi
exit $failed
