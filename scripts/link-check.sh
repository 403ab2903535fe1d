#!/bin/bash
# link-check.sh - a link checker: URLs in a topic, several workers that fetch them from a web server
# with its faults, and a report.
# Usage: scripts/link-check.sh [LINKS] [WORKERS]
#
# The server is a small one on 127.0.0.1, made for this: most pages are there; some are gone (404),
# some are busy twice and then there (503), some break once (500), some for good, and some never
# answer. It logs every request, and against that log the report is checked. The command decides
# with its exit status: 404 gives up at once (65), 503 means later (75), the rest is tried 3 times.

if [ "${1:-}" = --fetch ]; then
    # One URL on standard input; to standard output one line of the report. Bash alone speaks HTTP
    # well enough.
    read -r url
    rest=${url#http://}
    # A server that says nothing for so long is as good as none: timeout ends with 124, which is a
    # try.
    # shellcheck disable=SC2016  # for the inner shell
    status=$(timeout 2 bash -c 'exec 3<>"/dev/tcp/$1/$2" &&
        printf "GET %s HTTP/1.0\r\n\r\n" "$3" >&3 && read -r _ status _ <&3 && echo "$status"' \
        fetch "${rest%%:*}" "$(cut -d: -f2 <<<"${rest%%/*}")" "/${rest#*/}" 2>/dev/null) || exit 124
    case $status in
    200) echo "ok $url try $MR_TRY" ;;
    404) exit 65 ;;
    503) exit 75 ;;
    *) exit 1 ;;
    esac
    exit 0
fi
. "$(dirname "$0")/lib.sh"
links=${1:-100} workers=${2:-4}
command -v perl >/dev/null ||
    fail "the little web server is written in Perl (apt-get install perl-base)"

cat >"$work/server.pl" <<'EOF'
use strict;
use IO::Socket::INET;
$| = 1;
$SIG{CHLD} = 'IGNORE';
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64, ReuseAddr => 1)
    or die "listen: $!\n";
open my $log, '>>', $ARGV[0] or die "$ARGV[0]: $!\n";
$log->autoflush(1);
print $server->sockport, "\n";
my %seen;
while (1) {
    my $client = $server->accept or next;
    my $line = <$client> // next;
    while (defined(my $header = <$client>)) { last if $header =~ /^\r?\n$/ }
    my ($path) = $line =~ m{^GET (\S+)} or next;
    my $n = ++$seen{$path};
    my $status = $path =~ /gone/ ? 404 : $path =~ /busy/ ? ($n > 2 ? 200 : 503)
        : $path =~ /once/ ? ($n > 1 ? 200 : 500) : $path =~ /broken/ ? 500
        : $path =~ /silent/ ? 0 : 200;
    print $log "$path $status\n"; # before the answer, so that who has the answer finds it here
    if ($path =~ /slow|silent/) { # answers later, or not at all; others need not wait for it
        next if fork;
        sysread $client, my $nothing, 1 if $status == 0; # until the client has had enough
        select undef, undef, undef, 0.2 if $status;
    }
    print $client "HTTP/1.0 $status X\r\nContent-Length: 0\r\n\r\n" if $status;
    close $client;
    exit if $path =~ /slow|silent/;
}
EOF
: >"$work/access.log"
start server perl "$work/server.pl" "$work/access.log"
wait_until "the web server listens" test -s "$work/server.out"
port=$(cat "$work/server.out")

# Of every 20 links: a page that is gone, one that is busy, one that breaks once, one broken, one
# slow; two in all never answer.
awk -v n="$links" -v at="http://127.0.0.1:$port" 'BEGIN {
    for (i = 0; i < n; i++) {
        kind = i % 20 == 3 ? "gone" : i % 20 == 7 ? "busy" : i % 20 == 11 ? "once" : "page"
        if (i % 20 == 13 || i % 20 == 17) kind = i % 20 == 13 ? "broken" : "slow"
        if (i == 1 || i == 15) kind = "silent"
        print at "/" kind "/" i
    }
}' >"$work/links"
begin_broker
step "$links links go into topic 'links'."
run producer -q --seal "$work/links" links
step "$workers workers fetch them; what the command prints goes into topic 'report'."
status=0
run consumer -j "$workers" --tries 3 --backoff 100ms --into report --stats "$work/stats" links \
    -- "$top/scripts/link-check.sh" --fetch 2>"$work/consumer.err" || status=$?
indent <"$work/consumer.err"
notice "exit status $status: some links were given up; the others were not held up by them."
[ $status = 7 ] || fail "exit status $status, though some links are dead, which is 7"
step "The report, and the links that were given up, with the reason (%h, shortened here)."
show "consumer -e report"
consumer -q -e report >"$work/report"
head -n 3 "$work/report" | indent
say "    ..."
show "consumer -e -f '%s %h\\n' links.dead"
consumer -q -e -f '%s %h\n' links.dead >"$work/dead"
sed 's/\([^ ]*\) mr-reason=\([^,]*\),.*mr-tries=\([0-9]*\).*/    \1  (\2, tried: \3)/' \
    "$work/dead" | sort
say "In all: $(wc -l <"$work/report") ok," \
    "$(awk '$4 > 1' "$work/report" | wc -l) of them not at once, $(wc -l <"$work/dead") dead," \
    "$(number "$work/stats" retried) tries repeated, $(number "$work/stats" delayed) put off"

# Is it true? Every link is in the report or dead, once; and that is what the server has answered,
# as often as it was asked.
{ cut -d' ' -f2 "$work/report" && cut -d' ' -f1 "$work/dead"; } | sort |
    same - <(sort "$work/links") "not every link is there once"
sed -n "s|^\\(/[^ ]*\\) 200$|http://127.0.0.1:$port\\1|p" "$work/access.log" | sort |
    same - <(cut -d' ' -f2 "$work/report" | sort) \
    "what is ok is not what the server says"
cut -d' ' -f1 "$work/access.log" | sort | uniq -c | awk -v n="$links" '
{
    split($2, part, "/"); kind = part[2]; cnt++
    wanted = kind == "busy" || kind == "broken" || kind == "silent" ? 3 : kind == "once" ? 2 : 1
    if ($1 != wanted) { print $2 ": asked for " $1 " times instead of " wanted; bad = 1 }
}
END { if (cnt != n) print cnt " links were asked for instead of " n; exit bad || cnt != n }' \
    >"$work/wrong" || fail "$(head -n 3 "$work/wrong")"
grep -v 'mr-reason=exit status 65,.*mr-tries=1,' "$work/dead" | grep /gone/ &&
    fail "given up for another reason than 404"
grep /silent/ "$work/dead" | grep -v 'mr-reason=exit status 124,.*mr-tries=3,' &&
    fail "given up for another reason than silence"
awk '$4 != ($2 ~ /once/ ? 2 : 1)' "$work/report" | grep . &&
    fail "counted as another try than it was: later is none, a failure is one"
requests=$(wc -l <"$work/access.log")
[ "$(number "$work/stats" commands)" = "$requests" ] ||
    fail "$(number "$work/stats" commands) commands, but $requests requests"
kill "${pids[server]}" 2>/dev/null
wait "${pids[server]}" 2>/dev/null || true
unset "pids[server]"
stop_broker
ok "$links links checked by $workers workers with $requests requests:" \
    "$(wc -l <"$work/report") ok, $(wc -l <"$work/dead") dead, as the server's log has it"
