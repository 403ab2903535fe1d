#!/bin/bash
# e2e_readme.sh - the papers are true: the README, the README.md of each folder, the changelog, and
# the manual pages of section 7. Their shell blocks run as they stand, the C example compiles and
# prints what it says, every command has the options it is shown with, and every file, target,
# function, message and test that they name is there.
# A ```sh block is run from the top of a folder that has bin, common, data and scripts; ```console
# blocks are not run, but their commands and targets have to exist.
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"
cd "$top"
mapfile -t papers < <(find . -name '*.md' -not -path './bin*' | sed 's|^\./||' | sort)
pages=(broker/millrace*.7)
trap 'status=$?; set +e; broker -q stop >/dev/null 2>&1; (exit $status); cleanup' EXIT

# ---- their form -----------------------------------------------------------------------------------
[ $((${#papers[@]} * ${#pages[@]})) -ge 21 ] || fail "only ${papers[*]} ${pages[*]}"
[ "$(wc -l <README.md)" -le 200 ] || wrong "README.md has more than 200 lines"
for paper in "${papers[@]}"; do
    # A character of two bytes counts as one.
    LC_ALL=C.UTF-8 grep -nE '^.{101}' "$paper" >"$work/wide" &&
        wrong "$paper has lines of more than 100 columns: $(cut -c1-80 "$work/wide")"
    while read -r link; do
        case $link in
        '#'*) grep -qi "^#* *$(tr - ' ' <<<"${link#\#}")\$" "$paper" || wrong "$paper: no part $link" ;;
        *) [ -e "$(dirname "$paper")/$link" ] || wrong "$paper links to $link, which is not there" ;;
        esac
    done < <(grep -o '](\([^)]*\))' "$paper" | tr -d '])(')
done
# The top level holds nothing else.
if git rev-parse --git-dir >"$work/out" 2>&1; then
    git ls-files | cut -d/ -f1 | sort -u |
        grep -vxE 'Makefile|producer|consumer|broker|common|tests|scripts|data|README\.md|\..*' \
            >"$work/out" && wrong "at the top is also: $(cat "$work/out")"
fi

# ---- what they say: code, one piece a line --------------------------------------------------------
# spans PAPER: what stands between backquotes outside of blocks, though a line may end in it.
# shellcheck disable=SC2016  # backquotes are meant
spans() {
    awk '/^```/ { inside = !inside; print ""; next } !inside' "$1" |
        awk -v RS= '{ gsub(/\n */, " "); print }' | sed 's/`[^`]*`/\n&\n/g' | sed -n '/^`.*`$/s/`//gp'
}
# block LANGUAGE N PAPER: the N-th fenced block of that language. blocks: the lines of all.
block() {
    awk -v fence="\`\`\`$1" -v want="$2" '$0 == "```" { inside = 0 } inside { print }
        $0 == fence && ++n == want { inside = 1 }' "$3"
}
blocks() {
    awk '$0 == "```" { inside = 0 } inside { print } /^```(sh|console)$/ { inside = 1 }' "$1"
}
# code PAGE: what a manual page shows as a command or a name.
code() {
    sed -nE 's/^\.(Dl|Li|It Li|Dq) //p' "$1" | sed -E 's/\\e/\\/g; s/\\-/-/g; s/^"([^"]*)".*/\1/'
}
# The changelog names what there was.
for paper in "${papers[@]}"; do
    [ "$paper" = common/CHANGELOG.md ] || spans "$paper"
done | sort -u >"$work/spans"
for page in "${pages[@]}"; do
    code "$page"
done | sort -u >>"$work/spans"
{
    cat "$work/spans"
    for paper in "${papers[@]}"; do
        blocks "$paper"
    done
} | sed -E "s/  +#.*//; s/ -- .*//; s/ \| /\n/g; s|^bin/||; s|^\./||" >"$work/commands"

# ---- the first block: the consumer goes on until it is interrupted --------------------------------
mkdir "$work/place" "$work/path"
ln -s "$bin" "$work/place/bin"
for folder in common data scripts; do
    ln -s "$top/$folder" "$work/place/$folder"
done
# The programs may have been built with sanitizers; then so must be what links their library.
printf '#!/bin/sh\nexec %s %s "$@"\n' "${CC:-gcc}" \
    "${MILLRACE_SAN:+-fsanitize=$MILLRACE_SAN}" >"$work/path/cc"
chmod +x "$work/path/cc"
PATH=$work/path:$PATH
block sh 1 README.md | sed 's|^bin/consumer orders$|exec &|' >"$work/first.sh"
grep -q '^exec ' "$work/first.sh" || fail "the first block ends otherwise: $(cat "$work/first.sh")"
tail -n +2 data/orders.csv >"$work/expected"
arrived() { [ "$(stat -c %s "$work/first.out")" -ge "$(stat -c %s "$work/expected")" ]; }
cd "$work/place"
start first bash -eu "$work/first.sh"
wait_until "the rows of orders.csv" arrived
stop_with INT first 130
same "$work/expected" "$work/first.out" "the first block prints something else than the rows"
bin/broker -q stop || wrong "bin/broker stop: exit status $?"
bin/broker -q clean --all >"$work/out"

# ---- the other blocks; the C example runs twice ---------------------------------------------------
example=$top/common/README.md ran=1
block c 1 "$example" >embed.c
block text 1 "$example" >"$work/printed"
for paper in "${papers[@]}"; do
    [ "$paper" = README.md ] && n=2 || n=1
    while block sh "$n" "$top/$paper" >"$work/block.sh" && [ -s "$work/block.sh" ]; do
        bash -eu "$work/block.sh" >"$work/block.out" 2>"$work/block.err" ||
            wrong "$paper, block $n: exit status $?: $(tail -n 5 "$work/block.err")"
        if grep -q embed "$work/block.sh"; then
            cmp "$work/printed" "$work/block.out" || wrong "the example prints something else"
            ! grep -q warning "$work/block.err" || wrong "a warning: $(cat "$work/block.err")"
        fi
        left=$(find /dev/shm -name "millrace.*.$MILLRACE_BUS*")
        if [ "$left" ]; then
            wrong "$paper, block $n leaves $left"
            bin/broker -q stop || true
            bin/broker -q clean --all
        fi
        n=$((n + 1)) ran=$((ran + 1))
    done
done
[ $ran -ge 5 ] || fail "only $ran shell blocks"
# The other way to link it.
shared=$(block console 1 "$example" | grep -- '-Lbin')
bash -eu -c "$shared" || wrong "$shared: exit status $?"
bin/broker -q -d
for again in '' ' a second time'; do
    ./embed >"$work/block.out" || wrong "the example, shared$again: exit status $?"
    cmp "$work/printed" "$work/block.out" || wrong "shared$again, it prints something else"
done
bin/broker -q stop
cd "$top"

# ---- commands have the options that they are shown with -------------------------------------------
commands=0
while read -r program words; do
    commands=$((commands + 1))
    help=("$program")
    first=${words%% *}
    [[ $program != broker || ! $first =~ ^[a-z]+$ ]] || help+=("$first")
    "${help[@]}" --help >"$work/help" || wrong "${help[*]}: no such command"
    for word in $words; do
        [[ $word =~ ^(-[a-zA-Z]|--[a-z0-9-]+)$ ]] || continue
        grep -qE -- "(^|[ ,(])$word([ ,)]|\$)" "$work/help" ||
            wrong "$program $words: ${help[*]} has no option $word"
    done
done < <(grep -E '^(broker|producer|consumer) ' "$work/commands" | sort -u)
[ $commands -gt 60 ] || fail "only $commands commands were found"
# An option that is named alone belongs to one of the programs, or to the experiment.
{
    for program in broker producer consumer; do
        "$program" --help
    done
    while read -r command; do
        broker "$command" --help
    done < <(broker --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
    scripts/experiment.sh --help
    cat scripts/lib.sh scripts/deps.sh
} >"$work/help"
while read -r option; do
    grep -qE -- "(^|[ ,(|])$option([ ,)=|]|\$)" "$work/help" || wrong "there is no option $option"
done < <(grep -oE '^(-[a-zA-Z]|--[a-z-]+)' "$work/spans" | sort -u)

# ---- what they name is there ----------------------------------------------------------------------
mapfile -t folders < <(find broker producer consumer common tests scripts data -type d)
while read -r name; do
    found=
    for folder in . "${folders[@]}"; do
        # shellcheck disable=SC2086  # the name may be a pattern
        [ -z "$(compgen -G "$folder/$name")" ] || found=$name
    done
    [ "$found" ] || wrong "there is no $name"
done < <(grep -E '^[a-zA-Z_./*-]+\.(sh|bash|zsh|c|h|pml|csv|md|json|[17])$|^[a-z.]+/[a-zA-Z/]*$' \
    "$work/spans" | grep -vE '^(embed\.c|bin/.*|data\.csv|\./.*)$')
while read -r target; do
    grep -q "^$target:" Makefile || wrong "make has no target $target"
done < <(grep -E '^make ' "$work/commands" | sed -E 's/"[^"]*"//g' | tr ' ' '\n' |
    grep -E '^[a-z-]+$' | grep -vx make | sort -u)
while read -r name; do
    grep -rqw -- "$name" common/millrace.h common/core Makefile scripts tests/run.sh \
        consumer/command common/cli || wrong "there is no $name"
done < <(grep -oE '\b(mr_[a-z_]+|M[A-Z]+_[A-Z_]+)\b' "$work/spans" | sort -u)
for name in scripts/*; do
    [ "$name" = scripts/README.md ] || spans scripts/README.md | grep -qx -e "${name##*/}" ||
        wrong "$name is not mentioned in scripts/README.md"
done
for name in data/*; do
    [ "$name" = data/README.md ] || spans data/README.md | grep -qx -e "${name##*/}/\?" ||
        wrong "$name is not mentioned in data/README.md"
done
for name in tests/*/; do
    spans tests/README.md | grep -q "^$(basename "$name")/" ||
        wrong "$name is not mentioned in tests/README.md"
done

# ---- messages, limits, figures, the version -------------------------------------------------------
cat {broker,producer,consumer}/*.c {consumer,producer,common}/*/*.c | tr '\n' ' ' |
    sed 's/" *"//g' >"$work/sources"
while read -r message; do
    while read -r piece; do
        [ ${#piece} -lt 4 ] || grep -qF -- "$piece" "$work/sources" ||
            wrong "no program says \"$piece\" ($message)"
    done < <(sed -E 's/\\\(dq[^\\]*\\\(dq/\n/g; s/\b([A-Z]|full)\b/\n/g' <<<"$message" |
        sed 's/^[,;: ]*//; s/ *$//')
done < <(sed -n '/^\.Sh MESSAGES/,/^\.Sh/s/^\.It //p' broker/millrace-troubleshooting.7 |
    grep -o '"[^"]*"' | tr -d '"')
sed -n '/^\.Sh LIMITS/,/^\.Sh/p' broker/millrace.7 | tr -d , >"$work/limits"
while read -r name before after; do
    value=$(sed -nE "s/^#define $name +([0-9]+)u.*/\1/p" common/millrace.h common/core/layout.h)
    tr '\n' ' ' <"$work/limits" | grep -q "${before//_/ }${value:-none}${after//_/ }" ||
        wrong "millrace.7 does not say: ${before//_/ }$value${after//_/ } ($name)"
done <<END
MR_BUS_NAME_MAX at_most_ _characters
MR_GROUP_NAME_MAX a_group_ _the
MR_CLIENT_NAME_MAX a_client_ _bytes
MR_PARTITIONS_MAX _ _partitions
MR_PRODUCERS _ _producers
MR_MEMBERS _ _consumers
MR_GROUPS _ _groups
MR_CLIENTS_MAX _ _attached
MR_HEADERS_MAX _ _bytes_a_record
END
rows=$(sed -n 's/.*"millrace raw".*"rows_per_s","value":\([0-9]*\).*/\1/p' data/bench/results.json)
[ "$rows" -gt "$(grep -o 'More than [0-9]* million' README.md | grep -o '[0-9]*')000000" ] ||
    wrong "data/bench/results.json has $rows rows a second, README.md says more"
version=$(broker --version | grep -o '[0-9.]*$')
grep -q "^## $version " common/CHANGELOG.md || wrong "the changelog does not know $version"

all_well "${#papers[@]} papers and ${#pages[@]} pages: their $ran blocks run, their $commands" \
    "commands exist, and so does what they name"
