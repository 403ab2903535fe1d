#!/bin/bash
# e2e_completion.sh - what TAB offers: every option that the programs have, commands, topics, groups, buses, words for values; quickly, and silently when
# no broker runs. In bash by its own function; in zsh, where it is installed, the syntax.
. "$(dirname "$0")/../scripts/lib.sh"
# shellcheck source=scripts/completion.bash
. "$top/scripts/completion.bash"
bad=0

# offered WORD...: what is offered for the last of them, in ./offered, a line each; nothing on standard output or error.
offered() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _millrace >said 2>&1 || wrong "$*: fails"
    [ ! -s said ] || wrong "$*: says $(cat said)"
    printf '%s\n' "${COMPREPLY[@]}" | sed '/^$/d' >offered
}
wrong() {
    echo "line ${BASH_LINENO[1]}: $*"
    bad=$((bad + 1))
}
# gives WORDS OFFERED: just that.
gives() {
    local -a words
    read -ra words <<<"$1"
    [[ $1 != *' ' ]] || words+=('')
    offered "${words[@]}"
    [ "$(xargs <offered)" = "$2" ] || wrong "$1: offers $(xargs <offered), not $2"
}
cd "$work"

# ---- options: all that the tables in the sources have, and no others --------------------------------------------------------------------------
# long SOURCE: those of its table.
long() { sed -n 's/^ *{"\([a-z-]*\)", [a-z]*_argument,.*/--\1/p' "$1" | sort; }
# letters SOURCE: those of its getopt_long.
letters() { sed -n 's/.*getopt_long(argc, argv, "\([^"]*\)".*/\1/p' "$1" | tr -d ':+-' | grep -o . | sed 's/^/-/' | sort; }
for pair in producer:options.c consumer:options.c; do
    program=${pair%:*} source=$top/$program/${pair#*:}
    offered "$program" -
    { long "$source" && letters "$source"; } | sort -u >has
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
{ long "$top/broker/main.c" && letters "$top/broker/main.c"; } | sort -u >has
diff <(sort -u all) has >differ || wrong "broker: offered, and had: $(cat differ)"
offered broker lag -
[ "$(grep -cx -e --max -e --size offered)" = 1 ] || wrong "broker lag: $(xargs <offered)"
offered broker -b x lag --ma
[ "$(cat offered)" = --max ] || wrong "the bus before the command: $(xargs <offered)"

# ---- no broker: nothing, in no time ---------------------------------------------------------------------------------------------------------
TIMEFORMAT='%U + %S' # processor time, which no other process lengthens
{
    time for line in 'consumer ' 'consumer -g ' 'consumer --into ' 'broker describe ' 'broker lag orders ' 'broker -b nosuch purge ' 'consumer -b ../../x ' \
        'consumer -c ' 'broker status '; do
        gives "$line" ''
    done
} 2>cpu
[ -n "${MILLRACE_SAN:-}" ] || holds "$(cat cpu) < 4.5" || wrong "nine times nothing took $(cat cpu) s"

# ---- topics, groups, buses ------------------------------------------------------------------------------------------------------------------
start_broker -t red -t green,partitions=2 -t blue
seq 3 | producer -q red
consumer -q -g early -e red >/dev/null
consumer -q -g late -e red >/dev/null
consumer -q -g other -e blue >/dev/null
gives 'consumer ' 'blue green red'
gives 'consumer g' green
gives 'consumer red b' blue
gives 'consumer -g ' 'early late other'
gives 'consumer --group = l' late
gives 'consumer --where x --into ' 'blue green red'
gives 'broker lag ' 'blue green red'
gives 'broker lag red ' 'early late'
gives 'broker lag --max 5 blue ' other
gives 'broker lag red early ' ''
gives 'broker create ' ''
gives 'broker ping ' ''
gives "broker -b $MILLRACE_BUS describe r" red
gives "consumer -b $MILLRACE_BUS r" red
gives "consumer -b $MILLRACE_BUS-no r" ''
gives "consumer --bus = $MILLRACE_BUS r" red
offered broker --bus = "${MILLRACE_BUS:0:-1}" # other tests have buses that begin so, too
grep -qxF "$MILLRACE_BUS" offered || wrong "broker --bus: does not offer $MILLRACE_BUS"
gives "$bin/consumer gr" green
touch redrow.csv
gives 'producer re' 'red redrow.csv'
gives 'producer --stats redr' redrow.csv
path=$PATH
PATH=/usr/bin:/bin
gives "$bin/consumer b" blue
PATH=$path

# ---- words ----------------------------------------------------------------------------------------------------------------------------------
gives 'broker create x --full = ' 'block drop-oldest fail'
gives 'broker create x --full =' 'block drop-oldest fail'
gives 'broker wait red --for s' sealed
gives 'broker wait red --for c' consumers=
gives 'producer -i n' ndjson
gives 'producer --input-format n' ndjson
gives 'consumer --on-fail d' dead
gives 'consumer -f ' 'csv json raw tsv'
gives 'consumer --progress a' 'always auto'
gives 'consumer --all r' red
gives 'broker de' 'delete describe'
gives 'consumer red -- trunc' truncate
gives 'consumer red -- cat -v redr' redrow.csv

# ---- a file that somebody else has put into /dev/shm runs nothing ---------------------------------------------------------------------------
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
[ $bad = 0 ] || fail "$bad differences"
ok "completion offers what there is"
