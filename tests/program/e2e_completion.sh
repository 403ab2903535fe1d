#!/bin/bash
# e2e_completion.sh - what TAB offers: every option that the programs have, commands, topics, groups, buses, words for values; quickly, and silently when
# no broker runs. In bash by its own function; in zsh, where it is installed, the syntax.
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"
# shellcheck source=scripts/completion.bash
. "$top/scripts/completion.bash"

# offered WORD...: what is offered for the last of them, in ./offered, a line each; nothing on standard output or error.
offered() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _millrace >said 2>&1 || wrong "$*: fails"
    [ ! -s said ] || wrong "$*: says $(cat said)"
    printf '%s\n' "${COMPREPLY[@]}" | sed '/^$/d' >offered
}
# offers WORDS OFFERED: just that.
offers() {
    local -a words
    read -ra words <<<"$1"
    [[ $1 != *' ' ]] || words+=('')
    offered "${words[@]}"
    [ "$(xargs <offered)" = "$2" ] || wrong "$1: offers $(xargs <offered), not $2"
}

# ---- options: all that the tables in the sources have, and no others --------------------------------------------------------------------------
in_source() { option_longs "$1" | sed 's/^/--/'; option_letters "$1" | sed 's/^/-/'; }
for pair in producer:options.c consumer:options.c; do
    program=${pair%:*} source=$top/$program/${pair#*:}
    offered "$program" -
    in_source "$source" | sort -u >has
    [ "$(wc -l <has)" -gt 40 ] || fail "only $(wc -l <has) options in $source"
    diff <(sort -u offered) has >differ || wrong "$program: offered, and had: $(cat differ)"
done
offered broker ''
commands=$(cat offered)
[ "$(wc -l <offered)" -ge 15 ] || fail "commands: $(xargs <offered)"
offered broker -
cp offered all
for command in $commands; do
    broker "$command" --help >/dev/null || wrong "broker has no command $command"
    offered broker "$command" -
    cat offered >>all
done
in_source "$top/broker/arguments.c" | sort -u >has
diff <(sort -u all) has >differ || wrong "broker: offered, and had: $(cat differ)"
offered broker lag -
[ "$(grep -cx -e --max -e --size offered)" = 1 ] || wrong "broker lag: $(xargs <offered)"
offered broker -b x lag --ma
[ "$(cat offered)" = --max ] || wrong "the bus before the command: $(xargs <offered)"

# ---- no broker: nothing, in no time ---------------------------------------------------------------------------------------------------------
on_clock alone broker producer consumer
for line in 'consumer ' 'consumer -g ' 'consumer --into ' 'broker describe ' 'broker lag orders ' 'broker -b nosuch purge ' 'consumer -b ../../x ' \
    'consumer -c ' 'broker status '; do
    offers "$line" ''
done
off_clock
[ "$(clock now)" = 0 ] || wrong "nine times nothing waited for $(clock now) ns"

# ---- topics, groups, buses ------------------------------------------------------------------------------------------------------------------
start_broker -t red -t green,partitions=2 -t blue
seq 3 | producer -q red
consumer -q -g early -e red >/dev/null
consumer -q -g late -e red >/dev/null
consumer -q -g other -e blue >/dev/null
offers 'consumer ' 'blue green red'
offers 'consumer g' green
offers 'consumer red b' blue
offers 'consumer -g ' 'early late other'
offers 'consumer --group = l' late
offers 'consumer --where x --into ' 'blue green red'
offers 'broker lag ' 'blue green red'
offers 'broker lag red ' 'early late'
offers 'broker lag --max 5 blue ' other
offers 'broker lag red early ' ''
offers 'broker create ' ''
offers 'broker forget-source ' 'blue green red'
: >some.csv
offers 'broker forget-source red some' some.csv
offers 'broker ping ' ''
offers "broker -b $MILLRACE_BUS describe r" red
offers "consumer -b $MILLRACE_BUS r" red
offers "consumer -b $MILLRACE_BUS-no r" ''
offers "consumer --bus = $MILLRACE_BUS r" red
offered broker --bus = "${MILLRACE_BUS:0:-1}" # other tests have buses that begin so, too
grep -qxF "$MILLRACE_BUS" offered || wrong "broker --bus: does not offer $MILLRACE_BUS"
offers "$bin/consumer gr" green
touch redrow.csv
offers 'producer re' 'red redrow.csv'
offers 'producer --stats redr' redrow.csv
path=$PATH
PATH=/usr/bin:/bin
offers "$bin/consumer b" blue
PATH=$path

# ---- words ----------------------------------------------------------------------------------------------------------------------------------
offers 'broker create x --full = ' 'block drop-oldest fail'
offers 'broker create x --full =' 'block drop-oldest fail'
offers 'broker wait red --for s' sealed
offers 'broker wait red --for c' consumers=
offers 'producer -i n' ndjson
offers 'producer --input-format n' ndjson
offers 'consumer --on-fail d' dead
offers 'consumer -f ' 'csv json raw tsv'
offers 'consumer --progress a' 'always auto'
offers 'consumer --all r' red
offers 'broker de' 'delete describe'
offers 'consumer red -- trunc' truncate
offers 'consumer red -- cat -v redr' redrow.csv

# ---- a file that another user has put into /dev/shm runs nothing ---------------------------------------------------------------------------
# shellcheck disable=SC2016  # as it stands
evil=/dev/shm/millrace.$(id -u).'$(touch ran)'
touch "$evil"
offered consumer -b ''
rm "$evil"
[ ! -e ran ] || wrong "the name of a file in /dev/shm was run"
grep -qx "$MILLRACE_BUS" offered || wrong "buses: $(xargs <offered)"
stop_broker

if command -v zsh >/dev/null; then
    zsh -n "$top/scripts/completion.zsh" || wrong "completion.zsh"
else
    say "not tried: zsh is not installed"
fi
all_well "completion offers what there is"
