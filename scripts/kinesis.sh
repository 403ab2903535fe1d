#!/bin/bash
# kinesis.sh - a Kinesis stream: shards by partition key, PutRecords with its results, shard
# iterators, GetRecords with limits, filters, DescribeStream, how far applications are behind,
# several that each see everything, DeleteStream.
# Usage: scripts/kinesis.sh [SHARDS] [VIEWS, at most 10000]
. "$(dirname "$0")/lib.sh"
shards=${1:-4} views=${2:-2000}
file=$top/data/pageviews.csv
begin_broker

# ---- CreateStream, PutRecords, DescribeStream ---------------------------------------------------
step "CreateStream: a stream is a topic, and its shards are partitions."
run broker -q create clicks --partitions "$shards"
[ "$(broker -J describe clicks | grep -o '"first_offset"' | wc -l)" = "$shards" ] ||
    fail "not $shards shards: $(broker -J describe clicks)"
step "PutRecords, with the session as partition key; --ids prints shard and sequence number."
show "producer --key-col session --ids -c $views data/pageviews.csv clicks"
producer -q --key-col session --ids -c "$views" "$file" clicks >"$work/ids"
head -n 3 "$work/ids" | indent
say "    ..."
step "DescribeStream:"
show "broker describe clicks"
broker describe clicks | sed -n '/^PARTITION/,/^$/s/^/    /p'
notice "a sequence number is an offset, counted for each shard from 0."
# get ITERATOR: from all shards, as "shard number key time-of-the-view timestamp path", without
# taking them.
get() { consumer -q --peek -e -o "$1" -f '%p %o %k %{ts} %T %{path}\n' clicks; }
get TRIM_HORIZON >"$work/all"
awk -F, 'NR > 1 { print $2, $1 }' "$file" | head -n "$views" | paste -d ' ' "$work/ids" - |
    sort -k1,1n -k2,2n >"$work/put"
cut -d' ' -f1-4 "$work/all" | sort -k1,1n -k2,2n |
    same "$work/put" - "a result of PutRecords names another record"
awk '($3 in home) && home[$3] != $1 { print $3; exit 1 } { home[$3] = $1 }' "$work/all" \
    >"$work/out" || fail "a partition key is in two shards: $(cat "$work/out")"

# ---- shard iterators ----------------------------------------------------------------------------
step "Shard iterators: where to begin is said by -o. --peek looks and takes nothing."
number=$((views / shards / 2))
get $number | cut -d' ' -f1,2 | sort |
    same <(awk -v n=$number '$2 >= n { print $1, $2 }' "$work/all" | sort) - \
        "AT_SEQUENCE_NUMBER $number"
get $((number + 1)) | cut -d' ' -f1,2 | sort |
    same <(awk -v n=$number '$2 > n { print $1, $2 }' "$work/all" | sort) - \
        "AFTER_SEQUENCE_NUMBER $number"
[ -z "$(get LATEST)" ] || fail "LATEST gives what was there before"
start latest consumer -q -g latest -o LATEST -c 3 -f '%{path}\n' clicks
broker -q wait clicks --for consumers=1 --timeout 60s
sleep 0.01 # so that the time of the next ones is another millisecond than that of the last
since=$(date +%s.%3N)
printf '%s\n' ts,session,path,referrer,status,ms t,s1,/new/1,,200,5 t,s2,/new/2,,200,6 \
    t,s1,/new/3,,200,7 | producer -q --key-col session -i csv clicks
finish latest
sort "$work/latest.out" | same <(printf '/new/%d\n' 1 2 3) - \
    "LATEST gives something else than what came later"
get "@$since" | cut -d' ' -f6 | sort | same <(printf '/new/%d\n' 1 2 3) - "AT_TIMESTAMP"
shown() {
    show "consumer --peek -e -o $1 clicks | wc -l"
    say "    $2"
}
shown TRIM_HORIZON "$views"
shown $number "$(get $number | wc -l)"
shown $((number + 1)) "$(get $((number + 1)) | wc -l)"
say "    Three more records came after $since:"
shown "@$since" "$(get "@$since" | wc -l)"
notice "in each shard, $number is AT_SEQUENCE_NUMBER, $((number + 1)) is AFTER_SEQUENCE_NUMBER $number."

# ---- GetRecords: by number, by time, filtered ---------------------------------------------------
step "GetRecords with Limit: the second page goes on where the first stopped."
all=$((views + 3))
for page in 1 2; do
    show "consumer -g pages -c 100 -f '%p %o\\n' clicks"
    consumer -q -g pages -c 100 -f '%p %o\n' clicks >"$work/page-$page"
    { head -n 2 "$work/page-$page" && echo ...; } | indent
done
[ "$(sort -u "$work"/page-[12] | wc -l)" = 200 ] ||
    fail "two pages of 100 have $(sort -u "$work"/page-[12] | wc -l) records"
[ "$(topic_lag clicks)" -ge $((all - 200)) ] ||
    fail "two pages of 100, and a lag of $(topic_lag clicks) of $all"
before=$EPOCHREALTIME
consumer -q --peek -o TRIM_HORIZON --max-seconds 0.5 clicks | wc -l >"$work/timed"
holds "$EPOCHREALTIME - $before >= 0.5 && $(cat "$work/timed") <= $all" ||
    fail "--max-seconds 0.5 gave $(cat "$work/timed") of $all records"
filter='status == 200 && ms > 400 && path ~ "^/(cart|checkout)"'
step "A filter:"
show "consumer --all -e --where '$filter' -f '%{session} %{path} %{ms}\\n' clicks"
consumer -q --all -e -o TRIM_HORIZON --where "$filter" -f '%{session} %{path} %{ms}\n' clicks |
    sort >"$work/filtered"
{ head -n 3 "$work/filtered" && echo ...; } | indent
awk -F, 'NR > 1 && $5 == 200 && $6 > 400 && $3 ~ "^/(cart|checkout)" { print $2, $3, $6 }' \
    <(head -n $((views + 1)) "$file") | sort |
    same - "$work/filtered" "the filter gives something else"
[ -s "$work/filtered" ] || fail "the filter gives nothing, which shows nothing"

# ---- applications: each sees everything; how far behind -----------------------------------------
step "Applications are groups: audit has one worker, billing has two, which share the records."
begin audit consumer -q -g audit -o TRIM_HORIZON -f '%p %o\n' clicks
begin billing-1 consumer -q -g billing -w 50 -f '%p %o\n' clicks
begin billing-2 consumer -q -g billing -w 50 -f '%p %o\n' clicks
for app in audit billing; do
    wait_until "$app has caught up" broker -q lag clicks $app --max 0 >"$work/lags"
done
step "How far each is behind:"
show "broker lag clicks"
broker lag clicks | indent
notice "audit and billing have seen everything; 'pages' stopped after two pages."
! broker -q lag clicks pages --max $((all - 201)) >"$work/lags" ||
    fail "group pages is not behind: $(cat "$work/lags")"
awk '{ print $1, $2 }' "$work/all" | sort >"$work/wanted"
get "@$since" | cut -d' ' -f1,2 >>"$work/wanted"
complete() { [ "$(cat "$@" | wc -l)" = $all ]; }
for app in audit billing; do
    wait_until "$app has written all" complete "$work/$app"*.out
    cat "$work/$app"*.out | sort |
        same <(sort "$work/wanted") - "application $app has not seen everything, once"
done

# ---- DeleteStream -------------------------------------------------------------------------------
step "DeleteStream is refused while the stream is used, unless it is forced."
status=0
run broker -q delete clicks 2>"$work/refused" || status=$?
[ $status = 1 ] || fail "a stream in use was deleted: exit status $status"
indent <"$work/refused"
run broker -q delete clicks --force
for app in audit billing-1 billing-2; do
    status=0
    wait "${pids[$app]}" || status=$?
    unset "pids[$app]"
    [ $status = 1 ] || fail "$app: the stream is gone, and the exit status $status"
done
indent <"$work/audit.err"
notice "consumers learn that their stream was deleted."
[ -z "$(broker -q -J list)" ] || fail "still there: $(broker -J list)"
stop_broker
ok "$views views in $shards shards: results, five kinds of iterators, limits, a filter" \
    "($(wc -l <"$work/filtered") views), two applications that saw all, deletion"
