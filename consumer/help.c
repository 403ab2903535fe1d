/* help.c - the answer to --help: examples first, then the options by what they are for; 80 columns. */
#include "options.h"

#include <stdio.h>

static const char text[] =
    "Usage: consumer [OPTIONS] TOPIC...\n"
    "Takes records from TOPICs and writes them to standard output; several TOPICs\n"
    "take turns.\n"
    "\n"
    "  consumer orders                        share the work with other consumers\n"
    "  consumer --all -f json orders | jq .   see everything, whoever else reads\n"
    "  consumer -e -f csv orders > all.csv    what is there now, with its header\n"
    "  consumer -f '%o %{user} %s\\n' orders   as you like it\n"
    "\n"
    "Who\n"
    "  -g NAME          the group to share the work with [default]\n"
    "  --all            a private group: see every record\n"
    "  --peek           look only: take nothing, hold nobody back\n"
    "  --ordered        a new group: one consumer at a time for each partition\n"
    "  --name NAME      how this consumer is called in status\n"
    "From\n"
    "  -o POS           stored, beginning, end, N (offset), +N (after the oldest),\n"
    "                   -N (before the end), @TIME (seconds or ISO 8601) [stored]\n"
    "Until\n"
    "  -e               the end as it is at the start\n"
    "  --drain          all producers are done and all is acknowledged\n"
    "  -c N             N records\n"
    "  --timeout D      so long without a record\n"
    "  --max-seconds D  so long in all\n"
    "Output\n"
    "  -f FORMAT        raw, csv, json, or a text: %s value %k key %o offset\n"
    "                   %p partition %t topic %T time (ms) %h headers %n try\n"
    "                   %a age (s) %{COL} column %% \\n \\r \\t \\0 \\\\ [raw]\n"
    "  -J               JSON envelopes: everything about each record\n"
    "  --strings        JSON: numbers become strings, too\n"
    "  -D STR, -0       raw: STR or NUL after each value [\\n]\n"
    "Taking\n"
    "  -b BUS           [$MILLRACE_BUS, else default; USER/BUS: another user's]\n"
    "  --wait D         how long to wait for a broker [5s]\n"
    "  -w N             hold at most N records of a topic [1000; 1 with --delay]\n"
    "  --delay D        work on each record for so long before acknowledging it\n"
    "  --no-ack         take up to -w records, give them back at the end\n"
    "Report\n"
    "  --stats FILE     write the closing figures as JSON\n"
    "  --progress WHEN  auto, always, never [auto: if stderr is a terminal]\n"
    "  -q, -v           say less, say more\n"
    "  -h, -V           this help, the version\n"
    "\n"
    "Durations D: 250ms, 5s, 2m, 1h; a bare number is seconds.\n"
    "Exit status: 0 reached what was asked, 1 failed, 2 usage, 3 no broker, 4 no\n"
    "topic, 5 timed out before -c, 6 records lost, 7 some dead-lettered, 8 a producer\n"
    "died (--drain), 130 interrupted, 141 reader gone.\n";

void options_help(void)
{
    fputs(text, stdout);
}
