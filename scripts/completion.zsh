#compdef broker producer consumer
# completion.zsh - what TAB offers in zsh: what completion.bash does, which bash is asked for. Installed as _millrace in a folder of $fpath.
local source=${funcsourcetrace[1]%:*} asked current reply found files
local -a before names

# The words after consumer's "--" are a command of its own.
integer dashes=${words[(i)--]}
if [[ ${words[1]:t} == consumer ]] && ((dashes < CURRENT)); then
    shift $dashes words
    ((CURRENT -= dashes))
    _normal
    return
fi
for asked in ${source:A:h}/completion.bash ${source:A:h}/../../bash-completion/completions/broker; do
    [[ ! -r $asked ]] || break
done
before=("${(@Q)words[1,CURRENT-1]}")
current=${(Q)PREFIX}
if [[ $current == --*=* ]]; then
    before+=("${current%%=*}" =)
    current=${current#*=}
    compset -P '*='
fi
for reply in "${(@f)$(bash -c '. "$1" && shift && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _millrace && printf "%s\n" "${COMPREPLY[@]}"' \
    millrace "$asked" "${before[@]}" "$current" 2>/dev/null)}"; do
    if [[ -z $reply ]]; then
        continue
    elif [[ -e $reply && (${words[1]:t} == producer || ${before[-1]} == --stats || ${before[-2]} == forget-source) ]]; then
        files=1
    elif [[ $reply == *= ]]; then
        compadd -S '' -- "$reply" && found=1
    else
        names+=("$reply")
    fi
done
(($#names)) && compadd -a names && found=1
[[ -z $files ]] || { _files && found=1; }
[[ -n $found ]]
