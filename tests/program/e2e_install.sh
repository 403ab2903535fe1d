#!/bin/bash
# e2e_install.sh - make install puts just what it should where PREFIX and DESTDIR say; programs, library, pkg-config, manual pages and completions are
# found there and work; make uninstall removes all of it and nothing else.
# shellcheck disable=SC2015  # fail ends the test
. "$(dirname "$0")/../../scripts/lib.sh"
cd "$work"
unset MAKEFLAGS MAKELEVEL
umask 077 # what is installed is for everybody all the same
trap 'status=$?; set +e; broker -q stop >/dev/null 2>&1; (exit $status); cleanup' EXIT

# What was built is what is tested: "-o all" builds nothing.
install() { make -s -C "$top" -o all BIN="$bin" "$@" >make.out 2>&1 || fail "make $*: $(cat make.out)"; }
list() { (cd "$1" && find . ! -type d -printf '%m %P %l\n') | sed 's/ $//' | sort -k 2; }
version=$(broker --version | grep -o '[0-9.]*$')
pages=$(cd "$top" && printf '%s\n' {broker,producer,consumer,common,common/man}/*.[137] | grep -v '\*')
{
    for page in $pages; do
        echo "644 share/man/man${page##*.}/${page##*/}"
    done
    cat <<END
755 bin/broker
755 bin/consumer
755 bin/producer
644 include/millrace.h
644 lib/libmillrace.a
777 lib/libmillrace.so libmillrace.so.0
777 lib/libmillrace.so.0 libmillrace.so.$version
755 lib/libmillrace.so.$version
644 lib/pkgconfig/millrace.pc
644 share/bash-completion/completions/broker
644 share/bash-completion/completions/consumer
644 share/bash-completion/completions/producer
644 share/zsh/site-functions/_millrace
END
} | sort -k 2 >wanted
[ "$(wc -w <<<"$pages")" -ge 6 ] || fail "only these pages: $pages"

# ---- below PREFIX, twice, beside what is not ours ---------------------------------------------------------------------------------
there=$work/there
install install PREFIX="$there"
list "$there" | same wanted - "make install made something else"
[ -z "$(find "$there" -type d ! -perm 755)" ] || fail "folders that not everybody can enter: $(find "$there" -type d ! -perm 755)"
mkdir "$there/share/doc"
touch "$there/bin/other" "$there/lib/libother.so" "$there/share/man/man1/other.1" "$there/share/doc/other"
list "$there" >before
install install PREFIX="$there"
list "$there" | same before - "a second make install made something else"

# ---- the programs -----------------------------------------------------------------------------------------------------------------
for program in broker producer consumer; do
    cmp "$there/bin/$program" "$bin/$program" || fail "$program is not the one that was built"
    ! ldd "$there/bin/$program" 2>&1 | grep millrace || fail "$program needs the shared library"
done
export PATH=$there/bin:$PATH
broker -q -d
seq 10 | producer -q --seal numbers
consumer -q numbers | same <(seq 10) - "the installed programs"
broker -q stop

# ---- the library: the example of common/README.md, as it tells to compile it --------------------
paper=$top/common/README.md
awk '$0 == "```" { inside = 0 } inside { print } $0 == "```c" { inside = 1 }' "$paper" >embed.c
awk '$0 == "```" { inside = 0 } inside { print } $0 == "```text" { inside = 1 }' "$paper" >printed
[ -s embed.c ] && [ -s printed ] || fail "$paper has no example"
mkdir cc
printf '#!/bin/sh\nexec %s %s "$@"\n' "${CC:-gcc}" "${MILLRACE_SAN:+-fsanitize=$MILLRACE_SAN}" >cc/cc
chmod +x cc/cc
export PATH=$work/cc:$PATH
# example WHAT: ./embed runs and prints what the paper says.
example() {
    broker -q -d
    local run
    for run in first second; do
        ./embed >out || fail "$1, $run run: exit status $?"
        same printed out "$1, $run run: prints something else"
    done
    broker -q stop
    broker -q clean --all
}
export PKG_CONFIG_PATH=$there/lib/pkgconfig
[ "$(pkg-config --modversion millrace)" = "$version" ] || fail "pkg-config: version $(pkg-config --modversion millrace)"
# shellcheck disable=SC2046  # words are meant
cc -std=c11 -Wall -Wextra -Werror embed.c $(pkg-config --cflags --libs millrace) -o embed
readelf -d embed | grep -q 'NEEDED.*\[libmillrace\.so\.0\]' || fail "the example does not need libmillrace.so.0: $(readelf -d embed | grep NEEDED)"
LD_LIBRARY_PATH=$there/lib example "shared"
# shellcheck disable=SC2046
cc -std=c11 embed.c $(pkg-config --cflags millrace) -Wl,-Bstatic $(pkg-config --libs millrace) -Wl,-Bdynamic $(pkg-config --static --libs-only-l millrace |
    sed 's/-lmillrace//') -o embed
! readelf -d embed | grep -q 'NEEDED.*millrace' || fail "linked with the archive, the example needs the shared library"
example "static"

# ---- manual pages and completions --------------------------------------------------------------------------------------------------------
if command -v man >/dev/null; then
    for page in $pages; do
        page=${page##*/}
        found=$(man -M "$there/share/man" -w "${page##*.}" "${page%.*}") || fail "man does not find $page"
        [ "$found" = "$there/share/man/man${page##*.}/$page" ] || fail "man finds $found"
    done
fi
for program in broker producer consumer; do
    # As bash-completion does on the first TAB: a file named like the command is sourced, and then knows it.
    bash -c '. "$1" && complete -p "$2"' - "$there/share/bash-completion/completions/$program" "$program" >out || fail "no completion for $program"
done
head -n 1 "$there/share/zsh/site-functions/_millrace" | grep -qx '#compdef broker producer consumer' || fail "zsh would not take _millrace"

# ---- uninstall ------------------------------------------------------------------------------------------------------------------------------
install uninstall PREFIX="$there"
list "$there" | same <(grep other before) - "make uninstall left, or took, something else"
install uninstall PREFIX="$there" # there is nothing any more, which is fine

# ---- for a package: DESTDIR; with a blank; another folder for libraries ---------------------------------------------------------------------
install install DESTDIR="$work/a root" PREFIX=/usr
list "$work/a root/usr" | same wanted - "below DESTDIR is something else"
[ "$(ls "$work/a root")" = usr ] || fail "DESTDIR holds $(ls "$work/a root")"
! grep -r "$work" "$work/a root/usr/lib/pkgconfig" || fail "millrace.pc names DESTDIR"
pc=$work/a\ root/usr/lib/pkgconfig
[ "$(PKG_CONFIG_PATH=$pc pkg-config --variable=prefix millrace)" = /usr ] || fail "millrace.pc has another prefix"
install uninstall DESTDIR="$work/a root" PREFIX=/usr
[ -z "$(list "$work/a root")" ] || fail "left below DESTDIR: $(list "$work/a root")"
install install DESTDIR="$work/lib64" PREFIX=/opt/m LIBDIR=/opt/m/lib64
[ -e "$work/lib64/opt/m/lib64/libmillrace.so.0" ] && [ ! -e "$work/lib64/opt/m/lib" ] || fail "LIBDIR: $(list "$work/lib64")"
grep -qx 'libdir=/opt/m/lib64' "$work/lib64/opt/m/lib64/pkgconfig/millrace.pc" || fail "millrace.pc does not know LIBDIR"
install uninstall DESTDIR="$work/lib64" PREFIX=/opt/m LIBDIR=/opt/m/lib64
[ -z "$(list "$work/lib64")" ] || fail "left: $(list "$work/lib64")"

# ---- refused --------------------------------------------------------------------------------------------------------------------------------
for bad in PREFIX=here PREFIX= LIBDIR=lib; do
    ! make -s -C "$top" -o all BIN="$bin" install DESTDIR="$work/none" "$bad" >make.out 2>&1 || fail "make install $bad is not refused"
    grep -q 'has to be an absolute path' make.out || fail "make install $bad: $(cat make.out)"
done
[ ! -e none ] || fail "refused, but made $(list none)"
ok "installed, used, and removed: $(wc -l <wanted) files"
