#!/bin/bash
# run.sh - lets spin walk through every state of the models here, for sizes that fit in 4 GiB: the protocol as it is must hold
# I1 to I12 (robust.pml lists them), whichever process is killed between any two stores, and every variant that is broken on
# purpose must be found out.
# Usage: tests/model/run.sh [MODEL...]      MODEL: tx, log, cond, space, group, life, move; without: all. `make model` calls it.
#   JOBS   searches at a time, which share the 4 GiB [2]
# Prints for each search: states stored, transitions, depth, memory, time, and the verdict; for a broken variant the invariant
# that it violates.
# Exit: 0 all as it must be · 1 something is not · 2 usage, or no spin
set -u
cd "$(dirname "$0")" || exit 1
here=$PWD
jobs=${JOBS:-2}
if ! [[ $jobs =~ ^[1-9][0-9]?$ ]]; then
    echo "run.sh: JOBS: $jobs: not a number from 1 to 99" >&2
    exit 2
fi
if ! command -v spin >/dev/null; then
    echo "run.sh: spin: not installed (scripts/deps.sh --model installs it)" >&2
    exit 2
fi
for name; do
    if [ "$name" = robust ] || ! [ -e "$name.pml" ]; then
        echo "run.sh: $name: no such model (there are: tx, log, cond, space, group, life, move)" >&2
        exit 2
    fi
done
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# search ID WANTED MODEL KIND DEFINITIONS WHAT: one search; its line of the table into ID.line, ID.bad if it is not as wanted.
#   WANTED  holds: every state visited and no error; broken: an error
#   KIND    safety: assertions and invalid end states; progress: the model's ltl formula too, under weak fairness
search() {
    local id=$1 wanted=$2 model=$3 kind=$4 defs=$5 what=$6 dir=$work/$1 line verdict at where
    local compile=(-w -DCOLLAPSE "-DMEMLIM=$((4000 / jobs))") run=(-m1000000)
    if [ "$kind" = progress ]; then
        compile+=(-DNFAIR=6)
        run+=(-a -f)
    else
        compile+=(-DSAFETY -DNOCLAIM)
    fi
    [ "$wanted" = holds ] && compile+=(-O2) # what is broken is found out before a compiler could make it fast
    mkdir "$dir" && cp ./*.pml "$dir" && cd "$dir" || return
    # shellcheck disable=SC2086  # a list of words is meant
    if ! spin $defs -a "$model.pml" >out 2>&1 || ! "${CC:-gcc}" "${compile[@]}" -o pan pan.c >>out 2>&1; then
        verdict='does not compile'
    else
        ./pan "${run[@]}" >out 2>&1
        if ! grep -q '^Full statespace search' out ||
            grep -qE 'max search depth too small|reached -DMEMLIM|out of memory' out; then
            verdict='not exhaustive'
        elif grep -q 'errors: 0$' out; then
            verdict=holds
            grep -q 'Search not completed' out && verdict='not exhaustive'
        else
            verdict=broken
        fi
    fi
    line=$verdict
    if [ "$verdict" = broken ]; then
        # Which invariant: the comment of the assertion that failed. A process that waits for ever is I8.
        # shellcheck disable=SC2086
        where=$(spin $defs -t "$model.pml" 2>&1 | grep -m1 -oE "$model.pml:[0-9]+, Error: assertion violated")
        where=${where#*:}
        where=${where%%,*}
        if [ "$where" ]; then
            at=$(sed -n "${where}p" "$model.pml" | grep -oE '/\*.*' | grep -oE 'I[1-9][0-9]*' | sort -u | paste -sd' ')
            line="${at:-no I1 to I12}, $model.pml:$where"
            [ "$at" ] || verdict='broken in a way that names no invariant'
        else
            line="I8, $(grep -oE 'invalid end state|acceptance cycle' out | head -n 1)"
        fi
        line="violates $line"
    fi
    if [ "$verdict" != "$wanted" ]; then
        touch "../$id.bad"
        [ "$wanted" = broken ] && line="NOT FOUND OUT: $verdict" || line="FAILED: $line"
        sed 's/^/    /' out | tail -n 40 >"../$id.why"
    fi
    awk -v model="$model" -v what="$what" -v line="$line" '
        / states, stored/ { states = $1 }
        / transitions \(=/ { transitions = $1 }
        /depth reached/ { depth = $6; sub(",", "", depth) }
        /total actual memory usage/ { memory = $1 }
        /elapsed time/ { seconds = $4 }
        END {
            printf "%-6s %-58s %10d %10d %7d %6.0f %6.1f  %s\n", model, what, states, transitions, depth, memory, seconds, line
        }' out >"../$id.tmp"
    mv "../$id.tmp" "../$id.line"
    cd "$here" || return
    rm -rf "$dir"
}

started=0 shown=0 bad=0 chosen=" $* "
# show N: prints the lines of the first N searches, in order.
show() {
    while [ "$shown" -lt "$1" ]; do
        shown=$((shown + 1))
        if ! cat "$work/$shown.line"; then # a search that left nothing was not made
            bad=$((bad + 1))
        elif [ -e "$work/$shown.bad" ]; then
            bad=$((bad + 1))
            cat "$work/$shown.why"
        fi
    done
}

# row WANTED MODEL KIND DEFINITIONS WHAT: started as soon as fewer than JOBS run
row() {
    [ "$chosen" = '  ' ] || [[ $chosen == *" $2 "* ]] || return
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
        wait -n
    done
    while [ -e "$work/$((shown + 1)).line" ]; do
        show $((shown + 1))
    done
    started=$((started + 1))
    search "$started" "$@" &
}
holds() { row holds "$@"; }
# broken MODEL VARIANT DEFINITIONS: the variant's name is what it does
broken() { row broken "$1" safety "-DBROKEN_$2 $3" "  ${2//_/ }"; }

printf '%-6s %-58s %10s %10s %7s %6s %6s  %s\n' model 'search; broken on purpose' states transit. depth MB s verdict

holds tx safety '-DCRASHES=3' '3 processes, 2 transactions each, 3 kills'
holds tx safety '-DCRASHES=3 -DNESTED -DROUNDS=1' '3 processes, a lock inside another, 3 kills'
broken tx no_redo '-DCRASHES=1'
broken tx armed_log_dropped '-DCRASHES=1'
broken tx armed_before_entries '-DCRASHES=1'
broken tx disarmed_before_applied '-DCRASHES=1'
broken tx redo_not_absolute '-DCRASHES=2'
broken tx never_consistent '-DCRASHES=1'

holds log safety '-DPRODUCERS=3 -DCRASHES=1' '3 producers, a member, 1 kill'
holds log safety '-DCRASHES=2 -DOBSERVER' '2 producers, a member, an observer, 2 kills'
holds log safety '-DDROP -DOBSERVER -DCRASHES=1' 'drop-oldest: 2 producers, an observer, 1 kill'
broken log head_before_bytes ''
broken log head_before_tip '-DCRASHES=1'
broken log one_tip '-DPRODUCERS=3 -DCRASHES=1'
broken log tip_stays_valid '-DDROP -DOBSERVER -DPRODUCERS=3'
broken log tail_past_unacknowledged ''
broken log tail_after_bytes '-DDROP -DOBSERVER'
broken log count_not_mended '-DCRASHES=1'

holds cond safety '-DPRODUCERS=1 -DBATCH=2 -DCONSUMERS=3' 'no bound: 1 producer of 2 records, 3 members'
holds cond safety '-DPRODUCERS=2 -DCONSUMERS=2 -DCRASHES=1' 'no bound: 2 producers, 2 members, a broker, 1 kill'
holds cond safety '-DPRODUCERS=1 -DBATCH=2 -DCONSUMERS=2 -DCRASHES=2' 'no bound: 1 producer of 2, 2 members, a broker, 2 kills'
holds cond progress '-DBOUNDED -DPRODUCERS=1 -DBATCH=2 -DCONSUMERS=2 -DCRASHES=1' 'bounded, no broker: 2 members, 1 kill'
broken cond waker_sets_the_flag_again '-DPRODUCERS=1 -DBATCH=2 -DCONSUMERS=2'
broken cond flag_believed_after_a_death '-DPRODUCERS=1 -DBATCH=2 -DCONSUMERS=2 -DCRASHES=1'
broken cond no_wake_for_what_is_left '-DPRODUCERS=1 -DBATCH=2 -DCONSUMERS=2'
broken cond look_before_flag '-DPRODUCERS=1 -DCONSUMERS=1'

holds space safety '-DCRASHES=1 -DRECORDS=1' 'no bound: 2 producers, a member, 1 kill'
holds space safety '-DPRODUCERS=1 -DMEMBERS=2 -DSHARE=1' 'no bound: 1 producer of 2 records, 2 members'
holds space safety '-DCRASHES=2 -DPRODUCERS=1' 'no bound: 1 producer of 2 records, a member, 2 kills'
broken space limit_compared_before_sleep '-DRECORDS=1'
broken space no_settling '-DPRODUCERS=1'
broken space no_wake_by_acknowledging '-DPRODUCERS=1'
broken space flag_believed_after_a_death '-DCRASHES=1 -DPRODUCERS=1'

holds group safety '-DCRASHES=1' '2 members, 3 records, a give-back, 1 kill'
holds group safety '-DCRASHES=1 -DGIVE_BACKS=0 -DPIECES' '2 members, 3 records, word by word, 1 kill'
holds group safety '-DCONSUMERS=3 -DRECORDS=2 -DGIVE_BACKS=0 -DCRASHES=2' '3 members, 2 records, 2 kills'
holds group progress '-DRECORDS=2 -DGIVE_BACKS=0 -DCRASHES=1 -DPROGRESS' '2 members, 2 records, 1 kill, all get acknowledged'
broken group next_before_claim '-DCRASHES=1'
broken group no_redo '-DCRASHES=1'
broken group committed_is_next ''
broken group dead_claim_forgotten '-DCRASHES=1'
broken group in_hand_stays '-DCRASHES=1'
broken group acknowledged_when_claimed ''
broken group acknowledged_before_given '-DCRASHES=1'

holds life safety '-DCRASHES=1' '2 consumers, 1 kill'
holds life safety '-DCRASHES=1 -DSTART=ENDED -DGIVE_UPS=1' 'after a private group: 2 consumers, a wait given up, 1 kill'
holds life safety '-DCRASHES=1 -DKINDS=3 -DACTS=1' '2 consumers that take records, or move the group, 1 kill'
holds life safety '-DCRASHES=1 -DKINDS=5 -DACTS=1' \
    '2 consumers that take records, or have their own, 1 kill'
holds life safety '-DCRASHES=2 -DKINDS=3' '2 consumers that join or move the group, 2 kills'
holds life safety '-DCRASHES=2 -DKINDS=4' '2 consumers with private groups, 2 kills'
holds life safety '-DCONSUMERS=1 -DCRASHES=2 -DTRIES=2 -DACTS=1 -DGIVE_UPS=1' 'a consumer, a producer, a wait given up, 2 kills'
holds life safety '-DCONSUMERS=1 -DCRASHES=2 -DTRIES=2 -DACTS=1 -DSTART=ENDED' 'after a private group: a consumer, a producer, 2 kills'
holds life safety '-DCONSUMERS=1 -DCRASHES=2 -DTRIES=2 -DACTS=1 -DSTART=FRESH' \
    'before any group: a consumer, a producer, 2 kills'
holds life safety '-DTRIES=1 -DSTART=FRESH -DKINDS=4' \
    'before any group: 2 consumers with private groups, a producer'
holds life safety '-DTRIES=1 -DKINDS=6' '2 consumers that move the group or have their own, a producer'
broken life only_what_the_dead_hold_is_looked_for '-DCONSUMERS=1 -DCRASHES=1'
broken life live_before_its_first_member '-DCONSUMERS=1 -DCRASHES=1'
broken life left_before_its_group_is_over '-DCONSUMERS=1 -DCRASHES=1'
broken life over_after_its_member_is_gone '-DCONSUMERS=1 -DCRASHES=1 -DKINDS=4'
broken life buried_before_its_group_is_over '-DCONSUMERS=1 -DCRASHES=2'
broken life given_up_leaving_does_nothing '-DCONSUMERS=1 -DTRIES=1 -DGIVE_UPS=1'
broken life orphans_freed_before_the_move '-DCONSUMERS=1 -DCRASHES=1'
broken life first_member_armed_in_the_groups_log '-DCRASHES=1'
broken life over_not_under_its_lock '-DCRASHES=1 -DSTART=ENDED -DKINDS=4'
broken life over_forgotten '-DCONSUMERS=1 -DSTART=ENDED'
broken life limit_is_all_that_is_remembered '-DCONSUMERS=1 -DCRASHES=1 -DTRIES=1 -DSTART=ENDED'
broken life limit_of_the_making_is_remembered '-DCONSUMERS=1 -DCRASHES=1 -DTRIES=1 -DSTART=ENDED'
broken life making_counts_as_a_holder '-DCONSUMERS=1 -DCRASHES=1 -DTRIES=1 -DSTART=FRESH'
broken life unplaced_partition_pins '-DCONSUMERS=1 -DTRIES=1'
broken life armed_logs_finished_before_a_slot_is_chosen '-DCRASHES=1 -DKINDS=5 -DACTS=1'
broken life slot_used_again_between_two_looks '-DCONSUMERS=1 -DTRIES=3 -DSTART=ENDED'

holds move safety '-DCRASHES=2' '2 consumers, a letter, another producer, 2 slots, 2 kills'
holds move safety '-DCRASHES=1 -DUSERS=2' '2 consumers, a letter, 2 other producers, 2 slots, 1 kill'
holds move safety '-DCRASHES=2 -DCONSUMERS=3 -DPRODUCER_SLOTS=1' '3 consumers, a letter, another producer, 1 slot, 2 kills'
holds move safety '-DCRASHES=2 -DRECORDS=2 -DONE_PRODUCER -DGIVE_UPS=1' '2 consumers with one producer each, 2 letters, 2 kills'
broken move letter_not_noted '-DCRASHES=1'
broken move noted_after_letter '-DCRASHES=1'
broken move acknowledged_before_letter '-DCRASHES=1'
broken move count_looked_up_without_lock '-DCRASHES=1'
broken move count_of_a_fresh_producer '-DCRASHES=1 -DONE_PRODUCER -DRECORDS=2'
broken move count_credited_without_serial '-DCRASHES=1'
broken move slot_used_again_while_asked '-DCRASHES=1'
broken move slot_used_again_while_its_serial_stands '-DCRASHES=1'
broken move slot_used_again_without_waiting_for_a_repair '-DCRASHES=1'
broken move asked_once_it_is_appended '-DCRASHES=1'
broken move asked_until_it_is_appended '-DCRASHES=1'

wait
show "$started"
if [ "$bad" != 0 ]; then
    echo "run.sh: $bad of $started searches are not as they must be"
    exit 1
fi
echo "all $started searches are as they must be, in $SECONDS s"
