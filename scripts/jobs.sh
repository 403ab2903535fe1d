#!/bin/bash
# jobs.sh - queue.Queue: put, put_nowait, put and get with a timeout, task_done by the exit status
# of a command, errors in workers, join, and the end by a seal where others put a None for each
# worker.
# Usage: scripts/jobs.sh [JOBS] [WORKERS]
. "$(dirname "$0")/lib.sh"
jobs=${1:-60} workers=${2:-3}
# exits STATUS COMMAND...: shows it and runs it; what it said, and that it ended with that status.
exits() {
    local want=$1 got=0
    shift
    show "$*"
    "$@" >"$work/out" 2>"$work/err" || got=$?
    { tail -n 1 "$work/err" && head -n 1 "$work/out" && echo "exit status $got"; } | indent
    [ $got = "$want" ] || fail "$*: exit status $got, not $want"
}
cd "$work"
begin_broker

step "Queue(maxsize=5), and an empty queue. Two files: five has the jobs 1 to 5, sixth has job 6."
run broker -q create jobs --max-records 5
run broker -q create none
seq 5 >five
echo 6 >sixth
step "put, five times; then put_nowait and put(timeout=0.3), which raise Full; get from an empty"
say "queue, which raises Empty; and get."
exits 0 producer five jobs
exits 5 producer --fail-if-full sixth jobs
exits 5 producer --timeout 300ms sixth jobs
exits 5 consumer -c 1 --timeout 300ms none
exits 0 consumer -c 1 jobs
notice "Full and Empty are both exit status 5."
[ "$(cat "$work/out")" = 1 ] || fail "get gave $(cat "$work/out"), not 1"
[ "$(topic_lag jobs)" = 4 ] || fail "qsize is $(topic_lag jobs), not 4"

# A worker's errors: every tenth job fails the first time; job 13 is hopeless; job 17 kills its
# worker's command each time.
cat >"$work/work.sh" <<'END'
#!/bin/bash
read -r job
case $job in
13) exit 65 ;;
17) kill -KILL $$ ;;
*0) [ "$MR_TRY" -gt 1 ] || exit 1 ;;
esac
echo "$job $MR_TRY" >>"$DONE"
END
chmod +x "$work/work.sh"
export DONE=$work/done
: >"$DONE"
step "$workers workers, each with two commands at a time. Every tenth job fails once, job 13 is"
say "hopeless, and job 17 kills its command:"
indent <"$work/work.sh"
for ((i = 1; i <= workers; i++)); do
    begin "worker-$i" consumer -j 2 --tries 3 jobs -- "$work/work.sh"
done
step "Put the other jobs, and join: the producer ends when all are done."
show "seq 6 $jobs | producer --join jobs"
seq 6 "$jobs" | producer -q --join jobs
done_at_join=$(wc -l <"$DONE")
[ "$(topic_lag jobs)" = 0 ] || fail "join returned with $(topic_lag jobs) jobs open"
step "No more jobs: the workers end."
run broker -q seal jobs
sevens=0
for ((i = 1; i <= workers; i++)); do
    status=0
    wait "${pids[worker-$i]}" || status=$?
    unset "pids[worker-$i]"
    say "    worker $i: exit status $status: $(tail -n 1 "$work/worker-$i.err")"
    case $status in
    0) ;;
    7) sevens=$((sevens + 1)) ;;
    *) fail "worker $i: exit status $status: $(cat "$work/worker-$i.err")" ;;
    esac
done
step "The jobs that were given up are in a topic of their own; %h, shortened here, says why."
show "consumer -e -f '%s %h\\n' jobs.dead"
consumer -q -e -f '%s %h\n' jobs.dead |
    sed 's/^\([0-9]*\) .*mr-reason=\([^,]*\),.*mr-tries=\([0-9]*\).*/\1: \2, tried: \3/' |
    sort -n >"$work/dead"
indent <"$work/dead"
notice "jobs that failed once were tried again; only the hopeless ones are here."

# Each job was done once, a failed one on its second try; the two others are dead letters; and join
# had waited for all of them.
seq 2 "$jobs" | awk '$1 != 13 && $1 != 17 { print $1, $1 % 10 ? 1 : 2 }' >"$work/wanted"
sort -n "$DONE" | same "$work/wanted" - "not each job was done once, on the try it should be"
printf '%s\n' '13: exit status 65, tried: 1' '17: killed by signal 9 (Killed), tried: 3' |
    awk -v n="$jobs" '$1 + 0 <= n' | same - "$work/dead" "other jobs are dead"
[ "$done_at_join" = "$(wc -l <"$work/wanted")" ] ||
    fail "join returned when $done_at_join jobs were done"
[ ! -s "$work/dead" ] || [ $sevens -gt 0 ] || fail "no worker says that jobs are dead"
step "And put is refused from now on:"
exits 6 producer sixth jobs
stop_broker
ok "$((jobs - 1)) jobs: $done_at_join done when join returned, each once," \
    "$(wc -l <"$work/dead") dead; all $workers workers ended by the seal"
