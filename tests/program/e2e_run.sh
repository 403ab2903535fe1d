#!/bin/bash
# e2e_run.sh - what runs the tests counts them all: passed + failed + skipped is what was asked for, or it fails; also when what runs a test
# is killed, and when a test leaves something behind. On a tree of tests that do nothing else.
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"
mkdir -p tree/tests/program
cp "$top/tests/run.sh" tree/tests/
unset MILLRACE_SAN JOBS LIMIT MILLRACE_TEST_ID
export GRACE=1

# a_test NAME COMMANDS: a test of the tree.
a_test() {
    printf '#!/bin/bash\n%s\n' "$2" >"tree/tests/program/$1.sh"
    chmod +x "tree/tests/program/$1.sh"
}
# runs STATUS LAST-LINE [NAME...]: the tree's tests, or those, with that result.
runs() {
    local status=$1 last=$2
    shift 2
    expect "$status" tree/tests/run.sh "$@"
    [ "$(tail -n 1 out)" = "$last" ] || wrong "run.sh $*: the last line is not \"$last\" but: $(cat out)"
}

a_test e2e_a true
a_test e2e_b 'exit 3'
a_test e2e_c true
runs 0 "1 passed, 0 failed" e2e_a
runs 0 "3 passed, 0 failed" e2e_a e2e_c e2e_a
runs 1 "2 passed, 1 failed"
says out '^fail e2e_b .*\(exit status 3\)'
runs 1 "0 passed, 1 failed" e2e_b
expect 2 tree/tests/run.sh e2e_a e2e_d
says err 'no such test: e2e_d'

# What runs a test (the parent of the "timeout" that runs it) is killed: the test has failed, what it has started goes too.
# shellcheck disable=SC2016  # for the test's shell
a_test e2e_b 'sleep 60 & echo $! >&3
    kill -KILL "$(sed "s/.*) . \([0-9]*\) .*/\1/" "/proc/$PPID/stat")"
    wait'
for jobs in 1 4; do
    JOBS=$jobs runs 1 "2 passed, 1 failed" 3>child
    says out '^fail e2e_b .*what ran it was killed; left behind: processes'
    wait_until "its child is gone" gone "$(cat child)"
done
JOBS=1 runs 1 "1 passed, 1 failed" e2e_b e2e_a 3>child

# Left behind.
a_test e2e_b 'sleep 60 &'
runs 1 "2 passed, 1 failed"
says out 'left behind: processes'
# shellcheck disable=SC2016
a_test e2e_b ': >"/dev/shm/millrace.x.$MILLRACE_BUS"'
runs 1 "2 passed, 1 failed"
says out 'left behind: segments'
a_test e2e_b 'exec sleep 60'
LIMIT=1 runs 1 "2 passed, 1 failed"
says out 'hung: killed after 1 s'

# Skipped: by a word in its source, for all of its kind, in part.
a_test e2e_b '# not under SAN=undefined: it has no reason'
MILLRACE_SAN=address,undefined runs 0 "2 passed, 0 failed, 1 skipped: e2e_b (it has no reason)"
MILLRACE_SAN=thread runs 1 "0 passed, 0 failed, 3 skipped: e2e_a e2e_b e2e_c (the programs have one thread)" # nothing ran
a_test e2e_b 'echo "not tried: a full moon"; echo "not tried: another user"'
runs 0 "3 passed, 0 failed; not tried: e2e_b (a full moon;another user)"
all_well "passed, failed and skipped are what was asked for"
