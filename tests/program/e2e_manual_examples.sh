#!/bin/bash
# e2e_manual_examples.sh - the manual pages of section 3: each function of the library is in one, and
# the example of each page compiles against the installed library, runs, and prints what the page
# says.
. "$(dirname "$0")/../../scripts/lib.sh"
cd "$work"
unset MAKEFLAGS MAKELEVEL
trap 'status=$?; set +e; broker -q stop >/dev/null 2>&1; (exit $status); cleanup' EXIT
pages=("$top"/common/man/*.3)

# ---- what is in them ----
sed -n 's/^ *\(mr_[a-z_]*\);$/\1/p' "$top/common/millrace.map" | sort >functions
sed -n 's/^\.Fo //p' "${pages[@]}" | sort | same functions - "the pages' SYNOPSIS and millrace.map differ"
for page in "${pages[@]}"; do
    { basename "$page" .3 && sed -n 's/^\.Fo //p' "$page"; } | sort >synopsis
    sed -n 's/^\.Nm \([a-z_]*\).*/\1/p' "$page" | sort | same synopsis - "$(basename "$page"): NAME and SYNOPSIS differ"
done
if command -v mandoc >/dev/null; then
    mandoc -T lint -W warning "${pages[@]}" >lint.out 2>&1 || fail "mandoc: $(cat lint.out)"
fi

# ---- installed, and compiled as a program would be ----
make -s -C "$top" -o all BIN="$bin" install PREFIX="$work/there" >make.out 2>&1 || fail "make install: $(cat make.out)"
export PATH=$work/there/bin:$PATH PKG_CONFIG_PATH=$work/there/lib/pkgconfig LD_LIBRARY_PATH=$work/there/lib
# display N PAGE: the Nth literal display of its EXAMPLES, as it is read.
display() {
    awk -v wanted="$1" '/^\.Sh/ { inside = $2 == "EXAMPLES" } /^\.Ed/ { shown = 0 } shown == wanted { print }
        inside && /^\.Bd/ { shown = ++n }' "$2" | sed 's/\\e/\\/g; s/^\\&//'
}
# In this order, for mr_info shows what mr_consumer has done. mr_bus starts the broker.
[ ${#pages[@]} = 6 ] || fail "${#pages[@]} pages; their order is known for 6"
for name in mr_record mr_bus mr_topic mr_producer mr_consumer mr_info; do
    page=$top/common/man/$name.3
    display 1 "$page" >"$name.c"
    display 2 "$page" >wanted
    if [ ! -s "$name.c" ] || [ ! -s wanted ]; then
        fail "$name.3 has no example, or does not say what it prints"
    fi
    # shellcheck disable=SC2046  # words are meant
    ${CC:-gcc} ${MILLRACE_SAN:+-fsanitize=$MILLRACE_SAN} -std=c11 -Wall -Wextra -Werror "$name.c" $(pkg-config --cflags --libs millrace) -o "$name"
    "./$name" >out || fail "$name.3: its example ends with $?"
    same wanted out "$name.3: its example prints something else"
done
broker -q stop
broker -q clean --all
ok "$(wc -l <functions) functions in ${#pages[@]} pages, whose examples run"
