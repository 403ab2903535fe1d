# shellcheck shell=bash
# completion.bash - what TAB offers after broker, producer and consumer: options, commands, topics, groups, buses. To be sourced, by bash 4 or later.
# Options, which of them take a value, and commands are what --help says; here are only the long forms of letters, and words for some values.

# _millrace_names KEY COMMAND...: the values of KEY in what a command of the broker prints as JSON; nothing while there is no bus.
_millrace_names() {
    local key=$1
    shift
    timeout 5 "${broker[@]}" -q -J "$@" 2>/dev/null </dev/null | sed -n 's/.*"'"$key"'": *"\([A-Za-z0-9_.-]*\)".*/\1/p'
}
# A bus is /dev/shm/millrace.UID.BUS, a topic millrace.UID.BUS.TOPIC. Anybody may put files there, and compgen -W expands words as the shell does,
# so a name that cannot be a bus is no word.
_millrace_buses() {
    local path
    for path in "/dev/shm/millrace.$(id -u)."*; do
        path=${path#*/millrace.*.}
        [[ ! $path =~ ^[A-Za-z0-9_-]+$ ]] || printf '%s\n' "$path"
    done
}
_millrace_long() {
    case $program in
    broker) echo b=bus J=json q=quiet v=verbose h=help V=version t=topic d=detach ;;
    producer) echo i=input-format J=json F=follow D=delimiter K=key-delimiter k=key H=header p=partition b=bus c=count n=dry-run r=rate T=tee \
        q=quiet v=verbose h=help V=version ;;
    consumer) echo g=group o=offset c=count f=format j=jobs b=bus w=window q=quiet v=verbose h=help V=version ;;
    esac
}
# _millrace_help [COMMAND] fills $help: the lines about options, with blanks around commas, then the others.
_millrace_help() {
    help=$("$self" "$@" --help 2>/dev/null </dev/null)
    help=$(grep '^  -' <<<"$help" | sed 's/,/ , /g'; echo; grep -v '^  -' <<<"$help")
}
# _millrace_takes WORD: it is an option that wants a value; $option is then the letter, or the option without one.
# In a help text one blank is between an option and its value, more are before what it does.
_millrace_takes() {
    local word=$1 pair
    [[ $word == -?* ]] || return
    for pair in $long; do
        [[ $word != "--${pair#*=}" ]] || word=-${pair%=*}
    done
    grep -qE "^  (-.* )?$word [^ ,]" <<<"$help" || return
    option=$word
}
# _millrace_values OPTION: words that may follow it.
_millrace_values() {
    case $program$1 in
    *-b) _millrace_buses ;;
    *--progress | *--color) echo auto always never ;;
    broker--full) echo block drop-oldest fail ;;
    broker--for) echo exists drained sealed consumers= ;;
    producer--bad-rows) echo stop skip ;;
    producer-i) echo csv tsv lines ndjson file ;;
    consumer-g) _millrace_names group groups ;;
    consumer-o) echo stored beginning end ;;
    consumer-f) echo raw csv tsv json ;;
    consumer--into) _millrace_names topic list ;;
    consumer--on-fail) echo retry dead skip stop ;;
    esac
}

_millrace() {
    local IFS=$' \t\n' program=${COMP_WORDS[0]##*/} self=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]}
    local broker help long pair word i command='' option='' words='' files=''
    local -a operands=() wanted=()
    COMPREPLY=()
    broker=(broker)
    [[ $self != */* ]] || broker=("${self%/*}/broker")
    long=$(_millrace_long)
    _millrace_help
    if [[ $program == broker ]]; then
        for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
            if [[ $option ]]; then
                [[ $word == = ]] || option=
            elif ! _millrace_takes "$word" && [[ $word != -* ]]; then
                command=$word
                _millrace_help "$command"
                break
            fi
        done
    fi

    # What stands before the word: operands, the bus, an option that waits for its value. Bash makes three words of --option=value.
    option=
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $option ]]; then
            [[ $word != = ]] || continue
            [[ $option != -b ]] || broker+=(-b "$word")
            option=
        elif [[ $word == -- && $program == consumer ]]; then
            if ((i + 1 == COMP_CWORD)); then
                mapfile -t COMPREPLY < <(compgen -c -- "$cur" | sort -u)
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            fi
            return
        elif _millrace_takes "$word" || [[ $word == -?* ]]; then
            continue
        else
            operands+=("$word")
        fi
    done
    [[ $option && $cur == = ]] && cur=

    if [[ $option ]]; then
        words=$(_millrace_values "$option")
        [[ $option != --stats && $option != --bad-rows ]] || files=1
    elif [[ $cur == -* ]]; then
        words=$(grep '^  -' <<<"$help" | grep -oE '(^| )--?[A-Za-z0-9][A-Za-z-]*' | tr -d ' ')
        for pair in $long; do
            ! grep -qx -e "-${pair%=*}" <<<"$words" || words+=$'\n'--${pair#*=}
        done
    elif [[ $program == consumer ]]; then
        words=$(_millrace_names topic list)
    elif [[ $program == producer ]]; then
        words=$(_millrace_names topic list) files=1
    elif [[ ! $command ]]; then
        words=$(sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' <<<"$help")
    else
        # "Usage: broker lag [OPTIONS] TOPIC [GROUP]" says which operand comes next.
        read -ra wanted < <(sed -n 's/^Usage: broker [a-z-]* \[OPTIONS\] *//p' <<<"$help" | tr -d '[]')
        case ${wanted[${#operands[@]} - 1]-} in
        TOPIC) [[ $command == create ]] || words=$(_millrace_names topic list) ;;
        GROUP) words=$(_millrace_names group groups "${operands[1]}") ;;
        FILE) files=1 ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur" | sort -u)
    if [[ $files ]]; then
        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$cur")
        compopt -o filenames 2>/dev/null
    fi
    [[ ${COMPREPLY[*]-} != *= ]] || compopt -o nospace 2>/dev/null
    return 0
}
complete -F _millrace broker producer consumer
