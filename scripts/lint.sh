#!/bin/bash
# lint.sh - what `make lint` runs. Usage: scripts/lint.sh [CHECK...]     all checks if none is given
#   CHECK  format layers length headers exports cppcheck tidy shell man
# Every check runs, so that one call shows everything; the exit status is 0 only if all were silent.
set -u
cd "$(dirname "$0")/.." || exit 1

flags=(-std=c11 -D_GNU_SOURCE -Icommon -I. -Wall -Wextra -Wshadow -Wconversion)
mapfile -t sources < <(find common producer consumer broker tests -name '*.c' | sort)
mapfile -t headers < <(find common producer consumer broker tests -name '*.h' | sort)
mapfile -t scripts < <(find scripts tests data \( -name '*.sh' -o -name '*.bash' \) | sort && echo .ci/run)
mapfile -t pages < <(find . -name '*.[1-8]' -not -path './bin/*' | sort)
failed=()

# .clang-format is how code looks; it leaves comments alone, so their width is asked for here.
lint_format() {
    clang-format --dry-run --Werror "${sources[@]}" "${headers[@]}" &&
        ! awk 'length > 100 { print FILENAME ":" FNR ": " length " columns; at most 100" }' \
            "${sources[@]}" "${headers[@]}" | grep .
}
# The library's core includes nothing of common/text or common/cli, and no .c files of a folder call each other in a circle: each can be
# read after those it calls. The objects say who calls (nm), as a header may declare what several files define. tsort names the files of
# a circle.
lint_layers() {
    local objects folder status=0
    objects=$(mktemp -d) || return 1
    gcc "${flags[@]}" -MM common/core/*.c common/core/*.h | tr -s ' \134' '\n' | grep -E '^common/(text|cli)/' | sort -u |
        sed 's/$/: common\/core includes it/' | grep . && status=1
    find common consumer producer broker -type d -exec mkdir -p "$objects/{}" \;
    find common consumer producer broker -name '*.c' -print0 |
        xargs -0 -P "$(nproc)" -I '{}' gcc "${flags[@]}" -w -O0 -c -o "$objects/{}" '{}' || status=1
    for folder in common consumer producer broker; do
        # caller and called, a pair a line; no pair twice
        (cd "$objects" && find "$folder" -type f -exec nm -A '{}' +) |
            awk '$2 ~ /^[TDBR]$/ { sub(/:.*/, "", $1); home[$3] = $1 } $1 ~ /:$/ && $2 == "U" { sub(/:/, "", $1); calls[$1 " " $3] }
                END { for (call in calls) { split(call, part, " "); if (part[2] in home) pairs[part[1] " " home[part[2]]] }
                    for (pair in pairs) print pair }' |
            tsort 2>&1 >/dev/null | sed -n 's/^tsort: \([^-]\)/\1/p; s/^tsort: -: .*/these call each other in a circle:/p' | grep . && status=1
    done
    rm -rf "$objects"
    return $status
}
# No function is longer than 80 lines or has more than 6 parameters.
lint_length() {
    printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -I '{}' clang-tidy --quiet --checks='-*,readability-function-size' \
        --warnings-as-errors='*' --config='{CheckOptions: [{key: readability-function-size.LineThreshold, value: 80},
            {key: readability-function-size.ParameterThreshold, value: 6}, {key: readability-function-size.StatementThreshold, value: 100000},
            {key: readability-function-size.BranchThreshold, value: 100000}]}' '{}' -- "${flags[@]}" 2>/dev/null
}
# Every header compiles alone, with both compilers; the public one also as C++.
lint_headers() {
    local header compiler status=0
    for header in "${headers[@]}"; do
        for compiler in gcc clang; do
            "$compiler" "${flags[@]}" -Werror -fsyntax-only -x c - <<<"#include \"$header\"" || status=1
        done
    done
    clang -x c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only - <<<'#include "common/millrace.h"' || status=1
    return $status
}
# differ A B WHAT: shows the lines that only list A has, with what is wrong with them.
differ() { ! comm -23 <(echo "$1") <(echo "$2") | sed "s/\$/: $3/" | grep .; }
# What millrace.h declares, what millrace.map lists and what libmillrace.so exports is the same.
lint_exports() {
    local bin=bin/lint declared listed exported status=0
    make -s --no-print-directory -j"$(nproc)" BIN=$bin SAN= $bin/libmillrace.so >/dev/null || return 1
    declared=$(gcc "${flags[@]}" -fsyntax-only -aux-info /dev/stdout common/millrace.h |
        sed -n 's|^/\* common/millrace\.h:.*[ *]\(mr_[a-z0-9_]*\) (.*|\1|p' | sort)
    listed=$(sed -n 's/^ *\([a-z0-9_]*\);$/\1/p' common/millrace.map | sort)
    exported=$(nm -D --defined-only $bin/libmillrace.so | sed -n 's/^[^ ]* [^A] //; s/@.*//p' | sort)
    differ "$declared" "$listed" "declared in millrace.h, but not listed in millrace.map" || status=1
    differ "$listed" "$declared" "listed in millrace.map, but not declared in millrace.h" || status=1
    differ "$listed" "$exported" "listed in millrace.map, but not exported by libmillrace.so" || status=1
    differ "$exported" "$listed" "exported by libmillrace.so, but not listed in millrace.map" || status=1
    return $status
}
# internalAstError: cppcheck 2.10 does not understand some compound literals.
lint_cppcheck() {
    cppcheck --quiet --error-exitcode=1 -j "$(nproc)" --std=c11 -D_GNU_SOURCE -Icommon -I. --enable=warning,performance,portability \
        --inline-suppr --suppress=missingIncludeSystem --suppress=internalAstError "${sources[@]}"
}
# clang-tidy counts on stderr what it does not show.
lint_tidy() { printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -I '{}' clang-tidy --quiet '{}' -- "${flags[@]}" 2>/dev/null; }
# The completion for zsh is for zsh to check, where there is one.
lint_shell() { shellcheck "${scripts[@]}" && { ! command -v zsh >/dev/null || zsh -n scripts/completion.zsh; }; }
lint_man() { mandoc -T lint -W warning "${pages[@]}"; }

[ $# -gt 0 ] || set -- format layers length headers exports cppcheck tidy shell man
for name; do
    case $name in
    format | layers | length | headers | exports | cppcheck | tidy | shell | man) ;;
    *) echo "lint.sh: no such check: $name (known: format layers length headers exports cppcheck tidy shell man)" >&2; exit 2 ;;
    esac
done
for name; do
    [ "$name" = man ] && [ ${#pages[@]} = 0 ] && continue
    echo "LINT $name"
    "lint_$name" || failed+=("$name")
done
[ ${#failed[@]} = 0 ] || { echo "lint.sh: failed: ${failed[*]}" >&2; exit 1; }
