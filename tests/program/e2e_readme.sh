#!/bin/bash
# e2e_readme.sh - the README is true: its shell blocks run as they stand, its C example compiles and prints what it says, every command it mentions
# has the options it names, and every file, target and test it names is there.
# A ```sh block is run from the top of a folder that has bin, common, data and scripts; ```console blocks are not run.
# shellcheck source=tests/shared/expect.sh
. "$(dirname "$0")/../shared/expect.sh"
readme=$top/README.md
trap 'status=$?; set +e; broker -q stop >/dev/null 2>&1; (exit $status); cleanup' EXIT


# ---- its parts ----------------------------------------------------------------------------------------------------------------
mkdir "$work/place"
ln -s "$bin" "$work/place/bin"
for folder in common data scripts; do
    ln -s "$top/$folder" "$work/place/$folder"
done
# block LANGUAGE N: the N-th fenced block of that language.
block() {
    awk -v fence="\`\`\`$1" -v want="$2" '$0 == "```" { inside = 0 } inside { print } $0 == fence && ++n == want { inside = 1 }' "$readme"
}
# Code spans outside fenced blocks, one a line.
# shellcheck disable=SC2016  # backquotes are meant
awk '/^```/ { inside = !inside; next } !inside' "$readme" | grep -o '`[^`]*`' | tr -d '`' | sort -u >"$work/spans"
# The programs may have been built with sanitizers; then so must be what links their library.
mkdir "$work/path"
printf '#!/bin/sh\nexec %s %s "$@"\n' "${CC:-gcc}" "${MILLRACE_SAN:+-fsanitize=$MILLRACE_SAN}" >"$work/path/cc"
chmod +x "$work/path/cc"
PATH=$work/path:$PATH

# ---- the first screen: the consumer goes on until it is interrupted ----------------------------------------------------------------
block sh 1 | sed 's|^\./consumer orders$|exec &|' >"$work/first.sh"
grep -q '^exec ' "$work/first.sh" || fail "the first block does not end with ./consumer orders: $(cat "$work/first.sh")"
tail -n +2 "$top/data/orders.csv" >"$work/expected"
arrived() { [ "$(stat -c %s "$work/first.out")" -ge "$(stat -c %s "$work/expected")" ]; }
cd "$work/place"
start first bash -eu "$work/first.sh"
wait_until "the rows of data.csv" arrived
stop_with INT first 130
same "$work/expected" "$work/first.out" "the first block printed something else than the rows of data.csv"
bin/broker -q stop || wrong "./broker stop: exit status $?"

# ---- the other blocks --------------------------------------------------------------------------------------------------------------
block c 1 >embed.c
block text 1 >"$work/expected"
n=2
while block sh $n >"$work/block.sh" && [ -s "$work/block.sh" ]; do
    bash -eu "$work/block.sh" >"$work/block.out" 2>"$work/block.err" || wrong "block $n: exit status $?: $(cat "$work/block.err")"
    if grep -q embed "$work/block.sh"; then
        same "$work/expected" "$work/block.out" "the example prints something else"
        ! grep -q warning "$work/block.err" || wrong "the example does not compile without warnings: $(cat "$work/block.err")"
    fi
    n=$((n + 1))
done
[ $n -gt 3 ] || fail "only $((n - 1)) shell blocks"

# The other way to link it.
shared=$(grep '^cc .*-lmillrace' "$work/spans")
bash -eu -c "$shared" || wrong "$shared: exit status $?"
bin/broker -q -d
./embed >"$work/block.out" || wrong "the example with the shared library: exit status $?"
same "$work/expected" "$work/block.out" "with the shared library the example prints something else"
bin/broker -q stop
cd "$top"

# ---- commands have the options that they are shown with --------------------------------------------------------------------------------
commands=0
while read -r program words; do
    commands=$((commands + 1))
    help=("${program#./}")
    first=${words%% *}
    [[ $program != *broker || ! $first =~ ^[a-z]+$ ]] || help+=("$first")
    "${help[@]}" --help >"$work/help" || wrong "${help[*]}: no such command"
    for word in $words; do
        [[ $word =~ ^(-[a-zA-Z]|--[a-z0-9-]+)$ ]] || continue
        grep -qE -- "(^|[ ,(])$word([ ,)]|\$)" "$work/help" || wrong "$program $words: ${help[*]} has no option $word"
    done
done < <(grep -E '^(\./)?(broker|producer|consumer) ' "$work/spans")
[ $commands -gt 30 ] || fail "only $commands commands were found"

# ---- what it names is there ----------------------------------------------------------------------------------------------------------
while read -r name; do
    found=
    for path in "$name" {tests,tests/*,scripts,data,common,broker,producer,consumer}/"$name"; do
        # shellcheck disable=SC2086  # the name may be a pattern
        [ -z "$(compgen -G "$path")" ] || found=$path
    done
    [ "$found" ] || wrong "there is no $name"
done < <(grep -E '^[a-zA-Z_./*-]+\.(sh|c|h|csv|[17])$|^[a-z.]+/[a-zA-Z/]*$' "$work/spans" | grep -vE '^(embed\.c|bin/.*)$')
while read -r target; do
    grep -q "^$target:" Makefile || wrong "make has no target $target"
done < <(grep -oE '^make .*' "$work/spans" | tr ' ' '\n' | grep -E '^[a-z-]+$' | grep -vx make)
for name in scripts/*.sh data/*.csv data/*.sh; do
    grep -qx -e "${name##*/}" -e "$name" "$work/spans" || wrong "$name is not mentioned"
done

all_well "the README's blocks run, its $commands commands exist, and so does what it names"
