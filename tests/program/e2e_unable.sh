#!/bin/bash
# e2e_unable.sh - what the consumer itself cannot do (start a command, keep its output, open one
# more file, get memory) is no record's fault, whatever --on-fail says: it names the cause and ends,
# the record is given back, and no try is counted.
# not under SAN=address: it takes more addresses than "ulimit -v" leaves here
# not under SAN=thread: that makes a fork of vfork, so that what keeps a command from starting is not known
# shellcheck disable=SC2015,SC2016  # "$x" is for the command's shell; wrong returns 0
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"

# ./with OPTION N COMMAND...: under that ulimit.
printf '%s\n' '#!/bin/bash' 'ulimit "$1" "$2" && shift 2 && exec "$@"' >with
chmod +x with

# untouched TOPIC: all five records come, and it is the first try of each; none is a dead
# letter.
untouched() {
    timeout 60 consumer -q -e -f '%s %n\n' "$1" | sort >rest
    is rest $'1 1\n2 1\n3 1\n4 1\n5 1'
    ! broker -q describe "$1.dead" >/dev/null 2>&1 || wrong "$1 has dead letters"
}
# unable STATUS PATTERN TOPIC COMMAND...: with each policy it ends with that status and message,
# and leaves the records of TOPIC as they were; COMMAND is what comes before the consumer's operands,
# a "--" and what comes behind it.
unable() {
    local status=$1 pattern=$2 topic=$3 policy before=()
    shift 3
    while [ "$1" != -- ]; do
        before+=("$1")
        shift
    done
    send "$topic" 1 2 3 4 5
    for policy in "--on-fail skip" "--on-fail dead" "--tries 1" "--on-fail stop" "-j 3 --batch 2 --tries 1"; do
        # shellcheck disable=SC2086  # words are meant
        expect "$status" "${before[@]}" consumer -q -e $policy "$topic" "$@"
        says err "$pattern"
        says err "^consumer: $topic: partition 0 offset [0-4]: .*; stopped, the record is given back\$"
    done
    untouched "$topic"
}

# ---- in a file system of its own (see below): TMPDIR is full --------------------------------------
if [ "${1:-}" = --full ]; then
    mkdir full
    mount -t tmpfs -o size=1M tmpfs full
    export TMPDIR=$work/full MILLRACE_BUS=$MILLRACE_BUS-f
    start_broker
    # The command dies of SIGPIPE when its output is kept no longer.
    unable 1 "cannot keep its output \\(TMPDIR=$TMPDIR\\): No space left on device" t -- head -c 5000000 /dev/zero
    # Whatever it makes of that.
    for end in 'exit 0' 'exit 1' 'exit 65' 'exit 75' 'exit 255' 'kill -KILL $$'; do
        expect 0 broker -q delete t
        unable 1 'No space left' t -- sh -c "trap '' PIPE; head -c 5000000 /dev/zero 2>/dev/null; $end"
    done
    expect 0 broker -q delete t
    stop_broker
    umount full
    all_well "a full TMPDIR blames nothing"
    exit
fi

# ---- as another user than root (see below): no more processes, a script that cannot be read --------
if [ "${1:-}" = --unprivileged ]; then
    export MILLRACE_BUS=$MILLRACE_BUS-n
    start_broker
    # What counts is all that the user has, this shell included.
    unable 1 'cannot start it: Resource temporarily unavailable' forks ./with -u 1 -- true
    # Its interpreter cannot read it.
    for first in '#!/bin/sh' '#!/bin/bash' ''; do
        printf '%s\n' "$first" 'exit 3' >unread
        chmod 111 unread
        unable 126 './unread: cannot be read' "reads${#first}" -- ./unread
        rm -f unread
    done
    # A program need not be read, and what becomes of it is what it does.
    cp /bin/false only
    chmod 111 only
    send fails 1
    expect 7 consumer -q -e --tries 2 fails -- ./only
    for topic in forks reads9 reads11 reads0 fails fails.dead; do
        expect 0 broker -q delete $topic
    done
    stop_broker
    all_well "no process, and no right to read, blame nothing"
    exit
fi

start_broker
works=0 fails=0

# ---- a command that cannot be executed: as env and the shells have it ------------------------------
printf '#!/bin/sh\nexit 3\n' >script
chmod +x script
exec 5>>script # open for writing: it is busy
if ./script 2>/dev/null; [ $? != 3 ]; then
    unable 126 './script: Text file busy' busy -- ./script
else
    say "not tried: a script that is busy (this kernel executes it)"
fi
exec 5>&-
printf '#!/nosuch/interpreter\n' >script
unable 127 './script: No such file' interpreter -- ./script
printf '#!/\n' >script
unable 126 './script: Permission denied' folder -- ./script
printf '#!./script\n' >script
unable 126 './script: .*' itself -- ./script
cp script vanishes
ln -s vanishes link
send vanish 1 2 3 4 5
# What is found before anything is taken.
ln -s loop loop
expect 126 consumer vanish -- ./loop
says err '^consumer: ./loop: Too many levels of symbolic links$'
expect 126 consumer vanish -- ./script/x
says err '^consumer: ./script/x: Not a directory$'
expect 126 consumer vanish -- "./$(printf '%0300d' 0)"
says err ': File name too long$'
expect 127 env "PATH=$work/script:$PATH" consumer vanish -- nosuchcommandatall
expect 0 env "PATH=$work/script:$PATH" consumer -q -e -g path vanish -- true
untouched vanish

# ---- an environment that is too long ----------------------------------------------------------------
# ./filled N COMMAND...: with N bytes more of it. A quarter of the stack is for arguments and
# environment; each variable has a limit of its own, of 128 KiB.
cat >filled <<'END'
#!/bin/bash
ulimit -s 2048
for i in 1 2 3 4; do
    printf -v "LONG$i" %0110000d 0
    export "LONG${i?}"
done
printf -v FILL "%0$1d" 0
export FILL
shift
exec "$@"
END
chmod +x filled
mkdir "$(printf '%0200d' 0)" # what is executed counts twice, so that there is less room than for the consumer
long=./$(printf '%0200d' 0)/long
ln -s /bin/true "$long"
try() {
    local got=0
    ./filled "$1" consumer -q -e --tries 1 --on-fail skip tooshort -- "$long" >/dev/null 2>&1 || got=$?
    [ $got = 4 ]
}
low=0 high=120000
if try 0 && ! try $high; then
    while [ $((high - low)) -gt 1 ]; do
        if try $(((low + high) / 2)); then low=$(((low + high) / 2)); else high=$(((low + high) / 2)); fi
    done
    # There is no room for what is known of a record.
    send too-long 1 2 3 4 5
    for policy in skip dead stop; do
        expect 126 ./filled $low consumer -q -e --tries 1 --on-fail $policy too-long -- "$long"
        says err '^consumer: too-long: partition 0 offset 0: .*/long: Argument list too long; stopped, the record is given back$'
    done
    untouched too-long
    # There is, but not for a long key.
    { printf '%02000d=1\n' 0; echo short=2; } | producer -q -K = long-key
    expect 0 ./filled $((low - 1000)) consumer -q -e --tries 1 long-key -- sh -c 'read -r x; echo "$x ${MR_KEY-none}"'
    is out $'1 none\n2 short'
else
    say "not tried: an environment that is too long"
fi

# ---- the size of files ------------------------------------------------------------------------------
# What a command writes is kept in a file.
unable 1 'cannot keep its output \(TMPDIR=.*\): File too large' large ./with -f 2048 -- head -c 5000000 /dev/zero
# The consumer's own output, to a file that may not grow.
send grows 1 2 3 4 5
for command in "" "-- cat"; do
    truncate -s 1024K grown
    got=0
    # shellcheck disable=SC2086  # words are meant
    timeout 60 ./with -f 1024 consumer -q -e grows $command >>grown 2>err || got=$?
    [ $got = 1 ] || wrong "a file that may not grow: exit status $got: $(cat err)"
    says err '^consumer: cannot write the output: File too large$'
done
untouched grows
# But a command has that signal as usual.
send usual x
expect 7 consumer -q -e --tries 1 usual -- sh -c 'ulimit -f 8; exec head -c 100000 /dev/zero >mine'
expect 0 consumer -q -e -f '%h' usual.dead
says out 'mr-reason=killed by signal 25'

# ---- descriptors, memory: with each limit it works, or says so ----------------------------------------
# tried WHAT WITH CONSUMER...: its status is 0 and all came, or another and the cause is said; what did
# not come is there still, and not blamed.
tried() {
    local what=$1 got=0
    shift
    send some 1 2 3 4 5
    timeout -k 1 60 "$@" some "${command[@]}" >out 2>err || got=$?
    case $got in
    0) works=$((works + 1)) ;;
    1 | 3 | 126)
        fails=$((fails + 1))
        says err '^consumer: .*([Tt]oo many open files|out of memory|Cannot allocate memory|cannot start)'
        ;;
    *) wrong "$what: exit status $got: $(head -c 500 err)" ;;
    esac
    # The command has not said anything, or this tests something else.
    ! grep -v '^consumer: ' err || wrong "$what: $(head -c 500 err)"
    timeout 60 consumer -q -e -f '%s %n\n' some >rest || wrong "$what: what is left: $?"
    timeout 60 consumer -q -e other >>out || wrong "$what: what went into other: $?"
    sed 's/$/ 1/' out | sort - rest >all
    is all $'1 1\n2 1\n3 1\n4 1\n5 1'
    [ $got != 0 ] || [ ! -s rest ] || wrong "$what: ended well, and left $(cat rest)"
    broker -q delete some
    ! broker -q describe some.dead >/dev/null 2>&1 || wrong "$what: there are dead letters"
}
expect 0 broker -q create other
for how in "-- cat" "-j 4 --batch 2 --on-fail skip -- cat" "--on-fail dead --into other -- cat" ""; do
    # shellcheck disable=SC2206  # words are meant
    words=($how) command=()
    while [ ${#words[@]} -gt 0 ] && [ "${words[0]}" != -- ]; do
        words=("${words[@]:1}")
    done
    command=("${words[@]}")
    options=${how%%-- *}
    for limit in n:{4..20} v:{8..56..4}000; do
        # shellcheck disable=SC2086
        tried "ulimit -$limit: $how" ./with "-${limit%:*}" "${limit#*:}" consumer -q -e $options
    done
done
[ $fails -gt 20 ] && [ $works -gt 20 ] || wrong "$fails limits failed, $works were enough: this tests little"

expect 0 broker -q delete --force other
if unshare -m true 2>/dev/null; then
    expect 0 unshare -m "$top/tests/program/e2e_unable.sh" --full
    cat out
else
    say "not tried: a full TMPDIR (unshare is not allowed)"
fi
if [ "$(id -u)" != 0 ]; then
    expect 0 "$top/tests/program/e2e_unable.sh" --unprivileged
    cat out
elif setpriv --reuid=65534 --clear-groups test -x "$bin/producer" 2>/dev/null; then
    theirs=$(mktemp -d /tmp/millrace-unable-XXXXXX) # what TMPDIR names may be closed to it
    trap 'rm -rf "$theirs"; cleanup' EXIT
    chmod 777 "$theirs"
    expect 0 env TMPDIR="$theirs" setpriv --reuid=65534 --clear-groups "$top/tests/program/e2e_unable.sh" --unprivileged
    cat out
else
    say "not tried: another user than root"
fi
all_well "what the consumer cannot do blames no record"
