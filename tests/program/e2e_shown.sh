#!/bin/bash
# e2e_shown.sh - what messages quote cannot move the cursor of a terminal: topics, files, options,
# headers, keys.
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"

# quiet FILE: no control characters but line ends, all of it UTF-8, no C1 (c2 80 to c2 9f).
quiet() {
    ! LC_ALL=C grep -qP '[\x00-\x09\x0b-\x1f\x7f]' "$1" ||
        wrong "control characters: $(od -c "$1" | head -n 20)"
    ! LC_ALL=C grep -qP '\xc2[\x80-\x9f]' "$1" || wrong "C1 characters: $(od -c "$1" | head -n 20)"
    iconv -f UTF-8 -t UTF-8 "$1" >/dev/null 2>&1 || wrong "not UTF-8: $(od -c "$1" | head -n 20)"
}
red=$'\e]0;owned\a\e[31m' csi=$'\xc2\x9b31m' raw=$'\x9b31m'

start_broker
# Names on the command line.
for word in "$red" "a$csi" "a$raw" $'a\nproducer: b' $'a\r\tb'; do
    expect 1 producer "$word.csv" orders
    quiet err
    expect 2 producer data.csv "$word"
    quiet err
    expect 2 producer "--$word" orders
    quiet err
    expect 2 producer -r "$word" orders
    quiet err
    expect 2 consumer "$word"
    quiet err
    expect 2 consumer -f "%!$word" orders
    quiet err
    expect 2 consumer --where "$word = 1" orders
    quiet err
    for option in -g -o -b --progress --timeout -f -w -D "--$word"; do
        expect 2 consumer "$option" "$word\\" orders
        quiet err
    done
    for option in --into --on-fail -j --backoff; do
        expect 2 consumer "$option" "$word" orders -- true
        quiet err
    done
    expect 127 consumer orders -- "$word"
    quiet err
    expect 126 consumer orders -- "/etc/passwd/$word"
    quiet err
    expect 1 consumer --stats "$work/none/$word" orders
    quiet err
    expect 2 broker create "$word"
    quiet err
    expect 2 broker create orders --size "$word"
    quiet err
done
# A name cannot begin a line of its own.
expect 1 producer $'a\nproducer: b.csv' orders
[ "$(wc -l <err)" = 1 ] || wrong "more than one line: $(cat err)"
says err '^producer: a\\nproducer: b.csv: No such file'

# What files hold.
printf '%s\n' "id,$red,$csi,caf"$'\xc3\xa9' 1,2,3,4 >red.csv
printf '%s\n' "id,$raw,x,y" 1,2,3,4 >raw.csv
expect 0 producer red.csv orders
quiet err
expect 1 producer raw.csv orders
quiet err
says err '^  raw.csv: id,\\x9b31m,x,y$'
says err '^  topic orders: id,\\x1b\]0;owned\\x07\\x1b\[31m,\\xc2\\x9b31m,café$'
says err '^  Nothing of this file was sent'
expect 1 producer --key-col nothing red.csv orders
quiet err
printf '%s\n' "id,\"$red\"x" >bad.csv
expect 1 producer bad.csv other
quiet err
printf '{"value":{"%s":1},"key":"%s"\n' "$red" "$red" >bad.ndjson
expect 1 producer -J bad.ndjson other
quiet err
# Columns and names that consumers quote.
expect 0 producer raw.csv other
expect 1 consumer -e -f csv orders other
quiet err
says err '^  other: id,\\x9b31m,x,y$'
expect 2 consumer -e --where 'nothing = 1' orders
quiet err
expect 2 consumer -e --select nothing -f csv orders
quiet err
expect 2 consumer -e -f "%{$red}%{$raw}" orders
quiet err
# What commands do, and what is said of a record's key.
printf '%s=x\n' "$red" "$raw" | producer -q -K = keyed
printf '#!/bin/sh\nexit 3\n' >"$red$csi"
chmod +x "$red$csi"
expect 7 consumer -v -e --tries 2 -g v keyed -- "./$red$csi"
quiet err
expect 1 consumer -e --on-fail stop -g stop keyed -- "./$red$csi"
quiet err
says err '^consumer: keyed: partition 0 offset 0: ./\\x1b\]0;owned.*: exit status 3; stopped'
(ulimit -f 2000 && TMPDIR="$work/$red" && mkdir "$TMPDIR" && export TMPDIR &&
    exec timeout 60 consumer -e -g full keyed -- head -c 5000000 /dev/zero) >out 2>err || true
quiet err
says err 'cannot keep its output \(TMPDIR=.*\\x1b'
# What is data stays as it is.
expect 0 consumer -q -e -g data -f '%k\n' keyed
is out "$red"$'\n'"$raw"
expect 0 broker -q delete --force keyed
expect 0 broker -q delete --force keyed.dead
# What tables show.
expect 0 broker describe orders
quiet out
says out '^columns     id,\\x1b\]0;owned\\x07\\x1b\[31m,'
start named consumer -q -w 1 --delay 1h -g n --name "$red" orders
wait_until "it holds one" eval 'broker pending orders | grep -q in-hand'
for command in "status -v" "pending orders" "groups orders" "list"; do
    # shellcheck disable=SC2086
    expect 0 broker $command
    quiet out
done
kill9 named

for topic in orders other; do expect 0 broker -q delete --force $topic; done
stop_broker
all_well "names, keys and headers are shown, not obeyed"
