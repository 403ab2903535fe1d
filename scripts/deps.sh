#!/bin/sh
# deps.sh - installs what building Millrace needs and this machine lacks: with apt on Debian and its relatives; elsewhere it says what is missing.
# Usage: scripts/deps.sh [--test] [--lint] [--fuzz] [--valgrind] [--model] [--bench]
#   (nothing)  gcc, make, libc headers        --test  also the Check library and pkg-config        --lint  also the checkers of `make lint`
#   --fuzz  also clang with libFuzzer, and jansson to compare with        --valgrind  also valgrind        --model  also spin
#   --bench  also what `make bench` compares with when it is there (Boost.Interprocess, ZeroMQ, Miller, Python), and gnuplot for its curves
# Exit: 0 everything is there (now) · 1 something is missing · 2 usage
set -u

test=0 lint=0 fuzz=0 valgrind=0 model=0 bench=0
for arg; do
    case $arg in
    --test) test=1 ;;
    --lint) test=1 lint=1 ;;
    --fuzz) test=1 fuzz=1 ;;
    --valgrind) valgrind=1 ;;
    --model) model=1 ;;
    --bench) bench=1 ;;
    *) echo "deps.sh: unknown option '$arg' (known: --test, --lint, --fuzz, --valgrind, --model, --bench)" >&2; exit 2 ;;
    esac
done

missing=
# need PACKAGE COMMAND: notes the Debian package unless the command is there.
need() {
    command -v "$2" >/dev/null 2>&1 || missing="$missing $1"
}

need gcc gcc
need make make
[ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
if [ $test = 1 ]; then
    need pkg-config pkg-config
    pkg-config --exists check 2>/dev/null || missing="$missing check"
fi
if [ $lint = 1 ]; then
    need clang clang
    need clang-tidy clang-tidy
    need clang-format clang-format
    need cppcheck cppcheck
    need shellcheck shellcheck
    need mandoc mandoc
fi
[ $valgrind = 1 ] && need valgrind valgrind
if [ $fuzz = 1 ]; then
    need clang clang
    # Where clang is, it says which of its libraries it would link with; a name without a path is one that is not there.
    libfuzzer=$(clang -print-file-name="libclang_rt.fuzzer-$(uname -m).a" 2>/dev/null)
    [ -e "$libfuzzer" ] || missing="$missing libclang-rt-dev"
    [ -e /usr/include/jansson.h ] || missing="$missing libjansson-dev"
fi
[ $model = 1 ] && need spin spin
if [ $bench = 1 ]; then
    need g++ g++
    [ -e /usr/include/boost/interprocess/ipc/message_queue.hpp ] || missing="$missing libboost-dev"
    [ -e /usr/include/zmq.h ] || missing="$missing libzmq3-dev"
    need miller mlr
    need python3 python3
    need gnuplot-nox gnuplot
fi
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "deps.sh: please install what these Debian packages hold:$missing" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "deps.sh: missing; as root run: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "deps.sh: installing$missing" >&2
install() {
    # shellcheck disable=SC2086  # a list of words is meant
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing </dev/null >"$log" 2>&1
}
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
# An old package list is good enough when it works; most often it is there.
if ! install; then
    $as_root apt-get update -qq </dev/null >>"$log" 2>&1
    if ! install; then
        cat "$log" >&2
        echo "deps.sh: could not install:$missing" >&2
        exit 1
    fi
fi
