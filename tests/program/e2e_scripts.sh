#!/bin/bash
# e2e_scripts.sh - every script that people run shows its commands and what to notice, and ends by
# verifying what it shows; here each runs in a quick form. --help, --slow, and Ctrl-C, which leaves
# nothing.
set -u
bus=${MILLRACE_BUS:-test-$$}
out=${TMPDIR:-/tmp}/e2e_scripts.$$
trap 'rm -rf "$out" "$out".*' EXIT
failed=0 ran=

# differs WHAT: counts a difference, and shows the output that it was seen in.
differs() {
    echo "$*"
    indent <"$out"
    failed=1
}
indent() { sed 's/^/    /'; }

segments() { find /dev/shm -maxdepth 1 -name "millrace.*.$1*"; }
# commands: those of our programs that the output of a script shows, one a line.
commands() {
    sed -n 's/^    \$ //p' "$out" | sed 's/ -- .*//; s/ | /\n/g' |
        grep -E '^(broker|producer|consumer)\b'
}
# known: each command that is shown exists, and has the options that it is shown with.
known() {
    local program words word help
    while read -r program words; do
        help=("$MILLRACE_BIN/$program")
        word=${words%% *}
        [[ $program != broker || ! $word =~ ^[a-z]+$ ]] || help+=("$word")
        "${help[@]}" --help >"$out.help" 2>&1 || differs "shown, but not there: $program $words"
        for word in $words; do
            [[ $word =~ ^(-[a-zA-Z]|--[a-z-]+)$ ]] || continue
            grep -qE -- "(^|[ ,(])$word([ ,)]|\$)" "$out.help" ||
                differs "$program $words: no option $word"
        done
    done < <(commands | sort -u)
}
# run SCRIPT [ARG...]: must succeed, show commands and what to notice, print a line that starts with
# "OK: ", and clean up.
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
    [ "$(commands | wc -l)" -ge 3 ] || differs "$name shows too few commands"
    grep -q '^    Notice: ' "$out" || differs "$name does not say what to notice"
    known
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

# --help says what it is about and how it is used, without the programs; other options are refused.
for script in $ran; do
    MILLRACE_BIN=/nowhere "scripts/$script" --help >"$out" 2>&1 || differs "$script --help: $?"
    head -n 1 "$out" | grep -q "^$script - " || differs "$script --help begins otherwise"
    grep -q "^Usage: scripts/$script" "$out" || differs "$script --help has no usage"
    grep -q -- '--slow' "$out" || differs "$script --help does not name --slow"
    ! grep -q shellcheck "$out" || differs "$script --help says too much"
    status=0
    "scripts/$script" --nonsense >"$out" 2>&1 || status=$?
    [ $status = 2 ] || differs "$script --nonsense: exit status $status"
done

# --slow waits before each command, so that it can be read. This sleep only says that it was called.
mkdir "$out.bin"
cat >"$out.bin/sleep" <<END
#!/bin/sh
[ "\$1" = 7 ] || exec $(command -v sleep) "\$@"
echo slept >>"$out.slept"
END
chmod +x "$out.bin/sleep"
: >"$out.slept"
PATH=$out.bin:$PATH run one-to-one.sh --slow=7 100
[ "$(wc -l <"$out.slept")" = "$(grep -c '^    \$ ' "$out")" ] ||
    differs "--slow=7 waits $(wc -l <"$out.slept") times"

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
