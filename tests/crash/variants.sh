#!/bin/bash
# variants.sh - breaks the protocol on purpose, one way at a time, and demands that the crash test notices each.
# Usage: tests/crash/variants.sh BIN      (BIN holds a build with tests/crash; `make test-crash` calls it)
# A variant is a substitution in one source file; the broken object is linked before the library, so it takes the place of its own.
# shellcheck disable=SC2016  # what looks like variables in quotes is Perl
set -u
cd "$(dirname "$0")/../.." || exit 1
bin=${1:-bin}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
missed=0
count=0
crash=(tests/crash/*.c)
crash=("${crash[@]/%.c/.o}")
crash=("${crash[@]/#/$bin/obj/}")

wraps=('-Wl,--wrap=mr_cond_wait,--wrap=pthread_mutex_clocklock,--wrap=clock_gettime') # as in the Makefile

# variant NAME FILE PERL-SUBSTITUTION SCENARIO...
variant() {
    local name=$1 file=$2 change=$3
    shift 3
    count=$((count + 1))
    perl -0pe "$change" "common/core/$file" >"$work/$file"
    if cmp -s "common/core/$file" "$work/$file"; then
        echo "variants.sh: $name: the substitution does not fit common/core/$file any more" >&2
        missed=$((missed + 1))
        return
    fi
    if ! "${CC:-gcc}" -std=c11 -D_GNU_SOURCE -O2 -g -Icommon -Icommon/core -I. -pthread -w -c -o "$work/broken.o" "$work/$file" ||
        ! "${CC:-gcc}" -pthread "${wraps[@]}" -o "$work/crash" "$work/broken.o" "${crash[@]}" "$bin/obj/broker.a" "$bin/obj/shared.a" "$bin/libmillrace.a" -lrt -lpthread; then
        echo "variants.sh: $name: does not build" >&2
        missed=$((missed + 1))
        return
    fi
    if "$work/crash" -1 "$@" >"$work/out" 2>&1; then
        printf 'NOT CAUGHT  %s\n' "$name"
        missed=$((missed + 1))
    else
        # of "crash: WHAT; SCENE; WHERE: WHY", why
        printf 'caught      %-63s %s\n' "$name" \
            "$(grep -m1 '^crash: ' "$work/out" | sed 's/^crash: //; s/^broker: //; /;/s/^[^:]*: //' | cut -c1-70)"
    fi
}

variant 'the head is published before the bytes' log_append.c \
    's/(        write_record\(ring \+ at)/        atomic_store(&append->log->head, pos + bytes);\n$1/' 'append a batch'
variant 'one tip instead of two' log_append.c \
    's/tip = &log->tips\[1\];/tip = &log->tips[0];/; s/tip = &log->tips\[0\];\n    \}/tip = &log->tips[1];\n    }/' 'append a batch' 'append one'
variant 'the tail passes what is not acknowledged' log_append.c \
    's/space->bound = atomic_load_explicit\(&log->limit, memory_order_relaxed\);/space->bound = head->head;/' "past the ring's end" 'full topic'
variant 'no redo: a transaction is applied word by word' tx.c \
    's/atomic_store_explicit\(&redo->armed, tx->n, memory_order_release\);//' 'claim'
variant 'an armed redo log is dropped instead of replayed' tx.c \
    's/i < n; i\+\+\) \{\n        uint64_t word/i < 0; i++) {\n        uint64_t word/' 'claim'
variant 'the lock is not made consistent' tx.c \
    's/    pthread_mutex_consistent\(&lock->mutex\);//g' 'append one'
variant 'a dead producer'"'"'s count is not mended' log.c \
    's/atomic_store_explicit\(&who->records, count, memory_order_relaxed\);\n            uint64_t id/;\n            uint64_t id/' 'append one'
variant 'next is advanced before the claim is written' group.c \
    's/(    struct mr_tx tx = mr_tx_begin\(topic, &group->lock\);\n    mr_tx_set\(&tx, &own->partition, p\);)/    atomic_store(&part->next, end);\n    atomic_store(&part->next_offset, end_offset);\n$1/' 'claim'
variant 'committed is next, whatever is in hand' group.c \
    's/if \(cursor < load\(&member->end\) && cursor < low\)\n            low = cursor;\n    \}\n    return low;/(void)cursor;\n    }\n    return low;/' 'claim' 'give back'
variant 'what a dead member held is forgotten' reap.c \
    's/if \(cursor >= end\) \{\n        mr_tx_set\(tx, &member->group, 0\);/if (1) {\n        mr_tx_set(tx, &member->group, 0);/' 'claim'
variant 'acknowledged when claimed' group.c \
    's/mr_tx_set\(&tx, &own->cursor, next\);/mr_tx_set(&tx, &own->cursor, end);/' 'claim'
variant 'records leave no note before they are moved' move.c \
    's/atomic_store_explicit\(&slot->moving, move->pos, memory_order_release\);//' 'acknowledge with'
variant 'what has arrived elsewhere is not looked for' move.c \
    's/int there = arrived\(topic, slot\);/int there = 0;/' 'on its way'
variant 'a source'"'"'s progress is noted after the records only' log.c \
    's/            if \(source\)\n                mr_source_store\(source, .*?head\);//s' 'from a source'
variant 'the wake is left out' append.c \
    's/            mr_groups_tell\(topic, 1\);\n//' 'append with sleepers'

# What held the promise up before: each of these is a fault that random kills hit.
variant 'a half-made group is mended by newcomers only' reap.c \
    's/if \(!unfinished\(topic\) \|\| mr_topic_lock_try\(topic\)\)/if (1)/' 'join, a new group' 'join, a private group'
variant 'a private group is live before it has a member' group_life.c \
    's/    else\n        \*out = g;/    else {\n        *out = g;\n        atomic_store(&group->flags, new_group->flags);\n    }/' 'join, a private group'
variant 'a private group outlives the slot of its member' reap.c \
    's/    mr_tx_set\(tx, &group->flags, load\(&group->flags\) \| MR_GROUP_OVER\);[^\n]*\n//' 'leave, a private group' 'clean up'
variant 'a repair credits the owner of the slot now' log.c \
    's/atomic_load_explicit\(&who->serial, memory_order_relaxed\) ==\n\s*atomic_load_explicit\(&tip->serial, memory_order_relaxed\) &&//' \
    "a producer's first record" 'open, acknowledge with records'
variant 'a slot is used again though a question may come' producer_slot.c \
    's/if \(best < topic->producer_cnt && !asked\) \{/if (best < topic->producer_cnt) {/' 'first record' 'attach and detach'
variant 'orphans go before the positions move' member.c \
    's/(        old = g;\n)/        for (uint32_t i = 0; i < topic->member_cnt; i++)\n            if (load(&topic->members[i].group) == g + 1)\n                atomic_store(&topic->members[i].group, 0);\n$1/' 'move a group'
variant 'what the dead-letter topic refuses ends the consumer' dead.c \
    's/int error = mr_group_park\(consumer->topic, &consumer->seat, letter->pos, letter->bytes\);/return *why;\n        int error = 0;/' 'cannot be buried'
variant 'private groups have names to join by' member.c \
    's/"private:%ld:%llu"/"private-%ld-%llu"/; s/ \|\| \(load\(&topic->groups\[g\]\.flags\) & MR_PRIVATE\)\)/)/' "private group's name"
variant 'a topic is deleted by an earlier look' lifecycle.c \
    's/if \(!error && done && !finished\(topic\)\)/if (0)/' 'broker: cleans'

# A change that stops between two of its words, while others wait for its lock or go on.
variant 'a moved group becomes live by its own log' member.c \
    's/target->making \? &topic->shm->lock : &group->lock/&group->lock/' -w h 'move a group'
variant 'the old group is over after the new one is live' member.c \
    's/target->making \? &topic->shm->lock : &group->lock/&group->lock/;
     s/\n        _Atomic uint64_t \*flags = .*?mr_tx_set\(tx, flags[^\n]*\n/\n/s;
     s/(load\(&group->flags\) & ~\(uint64_t\)MR_GROUP_MAKING\);\n)/$1        if (target->old < topic->group_cnt)
            mr_tx_set(&tx, &topic->groups[target->old].flags, load(&topic->groups[target->old].flags) | MR_GROUP_OVER);\n/' \
    -w h 'move a group'
variant 'a private group is over after its member has gone' reap.c \
    's/(    mr_tx_set\(tx, &group->flags, [^\n]* MR_GROUP_OVER\);[^\n]*\n)([^\n]*&member->group, 0\);\n)/$2$1/' \
    'no slot to spare'
variant 'a repair is not waited for when a slot is used again' producer_slot.c \
    's/if \(!load\(&topic->producers\[slot\]\.state\)\)/if (1)/' 'the slot is used again'
variant 'only the serial goes when a slot is used again' producer_slot.c \
    's/(uint32_t p = 0; p < topic->partition_cnt)(; p\+\+\) \{\n        int error = mr_log_lock)/$1 * 0$2/' \
    'the slot is used again'
variant 'a group in the making lets go of what it skips' log.c \
    's/pin = committed < pin \? committed : pin;/low = committed < low ? committed : low;/' \
    'join at the end, no group'
variant 'a producer forgets what was acknowledged while a group is made' log.c \
    's/(    return pin < low)/    if (pin < low)\n        atomic_store(&topic->logs[p].acked, pin);\n$1/' \
    'all was acknowledged'
variant 'what is acknowledged is what the last group had' group_life.c \
    's/if \(committed > load\(&log->acked\)\)/if (1)/' 'another was further'
variant 'who waits for records buries with the topic locked' reap.c \
    's/(static void reap_now.*?)mr_topic_lock_try/$1mr_topic_lock/s' 'others wait'
variant 'who waits for records waits for the locks of groups' reap.c \
    's/wait \? (mr_lock\(topic, &group->lock\)) : mr_lock_try\(topic, &group->lock\);/$1;/' \
    'claim, others wait'
variant 'each record that cannot be buried takes a slot' park.c \
    's/== pos\)\n            break;/== pos + 1)\n            break;/; s/ && free > PARKED_RESERVE;/;/' 'park more'
variant 'a group in the making pins what it has not placed' group_life.c \
    's/(->committed, )MR_NONE/${1}0/' 'three partitions'
[ "$missed" = 0 ] && echo "all $count broken variants were caught"
exit $((missed != 0))
