#!/bin/bash
# e2e_help.sh - --help, man pages and programs say the same: every option that a program knows is in its --help and in its page, and the other way round;
# the EXAMPLES of broker.1 and consumer.1 run (those of producer.1 in e2e_produce_manual); the sections are there; mandoc has nothing to say.
# shellcheck source=tests/shared/expect.sh
# shellcheck disable=SC2094,SC2016  # the name of a file, not its content; for other shells
. "$(dirname "$0")/../shared/expect.sh"

# ---- options ---------------------------------------------------------------------------------------------------------------------------
for program in producer consumer broker; do
    source=$top/$program/options.c page=$top/$program/$program.1
    [ -e "$source" ] || source=$top/$program/arguments.c
    option_table "$source" | grep '^[a-z]' | sort -u >table
    [ "$(wc -l <table)" -ge 20 ] || fail "only $(wc -l <table) options in $source"

    # What --help says, with that of each command; at most 80 columns.
    "$program" --help >help || wrong "$program --help: exit status $?"
    cp help top-help
    if [ $program = broker ]; then
        while read -r command; do
            "$program" "$command" --help >>help || wrong "$program $command --help: exit status $?"
            sed -n '/^\.Sh COMMANDS/,/^\.Sh ENV/p' "$page" | grep -qE "^\.It (Xo )?Cm $command( |\$)" || wrong "broker.1 has no command $command"
        done < <(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' "$work/top-help")
    fi
    awk 'length > 80 { print; bad = 1 } END { exit bad }' help >wide || wrong "$program --help is wider than 80: $(cat wide)"
    grep -q '[^ -~]' help && wrong "$program --help has more than ASCII in it"
    # The page: what follows .Fl, where an option is explained and anywhere; letters may be put together.
    flags() { sed 's/\\-/-/g' | awk '/^\./ {
        for (i = 1; i <= NF; i++)
            if ($i ~ /^\.?Fl$/)
                for (j = i + 1; j <= NF && $j !~ /^(Ar|Cm|Pq|No|Ns|Fl|Op|[,.()])$/; j++)
                    print $j
    }' | sed 's/^-//; s/[^A-Za-z0-9-].*//' | sort -u; }
    sed -n '/^\.It Xo/,/^\.Xc/p; /^\.It /p' "$page" | flags >explained
    flags <"$page" >documented
    # In help one form of each is enough; in the page are both.
    while IFS='|' read -r name letter _; do
        grep -qE -- "(^|[ ,(|])(--$name${letter:+|-$letter})([ ,)]|\$)" help || wrong "$program --help does not name --$name"
        grep -qx -e "$name" ${letter:+-e "$letter"} explained || wrong "$program.1 does not explain --$name"
        grep -qx -- "$name" documented || wrong "$program.1 does not name --$name"
    done <table
    for letter in $(option_letters "$source"); do
        grep -qE -- "(^|[ ,(])-$letter([ ,)]|\$)" help || wrong "$program --help does not name -$letter"
        grep -qE -- "^[a-zA-Z]*${letter}[a-zA-Z]*\$" documented || wrong "$program.1 does not document -$letter"
    done
    # The other way round: what the help names, there is.
    grep -E '^  -' help | grep -oE '(^|[ ,])--?[A-Za-z0-9][A-Za-z-]*' | tr -d ' ,' | sort -u >named
    [ "$(wc -l <named)" -ge 20 ] || fail "only $(wc -l <named) options in $program --help"
    while read -r option; do
        case $option in
        --*) grep -q "^${option#--}|" table || wrong "$program --help names $option, which is none" ;;
        *) option_letters "$source" | grep -qx -- "${option#-}" || wrong "$program --help names $option, which is none" ;;
        esac
    done <named
    for section in NAME SYNOPSIS DESCRIPTION ENVIRONMENT FILES 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
        grep -qx "\.Sh $section" "$page" || wrong "$program.1 has no section $section"
    done
done
if command -v mandoc >/dev/null; then
    # As they are read: an option has one dash and a letter, or two and a word (Fl gives one of them).
    for page in "$top"/{producer,consumer,broker}/*.[1-8]; do
        for device in ascii utf8; do
            mandoc -T$device "$page" | sed 's/.\x08//g' >page # each letter is struck twice to be bold
            ! grep -nE -- '---+[[:alnum:]]|(^|[^[:alnum:]-])--[[:alnum:]]($|[^[:alnum:]-])' page >dashes ||
                wrong "${page##*/}: an option with too many dashes: $(cat dashes)"
        done
    done
    mandoc -T lint -W warning "$top"/{producer,consumer,broker}/*.[1-8] >lint 2>&1 || wrong "mandoc: $(cat lint)"
fi

# ---- examples of consumer.1 --------------------------------------------------------------------------------------------------------------
# Each runs as it stands. What goes on until it is told to end gets a Ctrl-C when it has done what it says.
# Orders as the page has them: with an id and a country.
awk -F, 'BEGIN { print "id,user_id,total,country" } NR > 1 && !/"/ { printf "%d,user-%d,%d,%s\n", ++n, n % 7, n % 30, n % 3 ? "DE" : "FR" }' "$top/data/orders.csv" |
    head -n 5001 >sent.csv
rows sent.csv | wc -l >cnt
sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/s/^\.Dl \$ //p' "$top/consumer/consumer.1" | sed 's/\\-/-/g; s/\\e/\\/g; s/\\(dq/"/g' >examples
[ "$(wc -l <examples)" -ge 9 ] || fail "only $(wc -l <examples) examples in consumer.1"
mkdir tools
# jq, as far as the examples need it: the fields of objects in lines; charge.sh as a user would have it.
cat >tools/jq <<'END'
#!/bin/bash
exec sed -un "s/.*\"${1#.}\": *\([^,}]*\).*/\1/p"
END
printf '#!/bin/bash\nread -r order\n[ "$MR_TRY" -gt 1 ] || [ $((MR_OFFSET %% 50)) != 7 ] || exit 1\necho "${order%%%%,*}" >>charged\n' >charge.sh
chmod +x tools/jq charge.sh
PATH=$work/tools:$PATH
start_broker
n=0
topic=
while read -r example <&4; do
    n=$((n + 1))
    # A topic of its own for each, and little of the file where each order costs a process.
    [ -z "$topic" ] || { broker -q delete orders --force; for extra in totals orders.dead; do broker -q delete $extra --force 2>/dev/null || true; done; }
    topic=orders
    broker -q create orders
    what="consumer.1: $example"
    # shellcheck disable=SC2016  # words of the examples
    case $example in
    *' -o end '*)
        start example bash -c "$example"
        broker -q wait orders --for consumers=1 --timeout 60s
        producer -q sent.csv orders
        whole() { [ "$(wc -l <example.out)" = "$(cat cnt)" ]; }
        wait_until "$what" whole
        broker -q seal orders
        finish example
        ;;
    *'-- '*)
        producer -q -c 100 --seal sent.csv orders
        got=0
        timeout 60 bash -c "$example" >out 2>err </dev/null || got=$?
        [ $got = 0 ] || wrong "$what: exit status $got: $(cat err)"
        case $example in
        *charge*) sort -n charged | same <(seq 100) - "$what: not each order charged once" ;;
        *) [ "$(consumer -q -e totals | wc -l)" = 100 ] || wrong "$what: totals are not 100" ;;
        esac
        ;;
    *)
        producer -q --seal sent.csv orders
        expect 0 timeout 60 bash -c "$example" </dev/null
        case $example in
        *'data.csv') cmp sent.csv data.csv || wrong "$what: not the file" ;;
        *'-o -10'*) tail -n 10 sent.csv | same - out "$what" ;;
        *'-c 100'*) [ "$(broker -J lag orders nightly | sed 's/.*"lag"://; s/,.*//')" = $(($(cat cnt) - 100)) ] || wrong "$what: not 100" ;;
        *where*) awk -F, 'BEGIN { print "id,total" } NR > 1 && $3 > 9 && $4 == "DE" { print $1 "," $3 }' sent.csv | same - out "$what" ;;
        *delay* | 'consumer orders') same out <(tail -n +2 sent.csv) "$what" ;;
        *) [ -s out ] || wrong "$what: nothing came" ;;
        esac
        ;;
    esac
done 4< <(sed 's/--delay 200ms/--delay 200us/' examples) # to see what it does, without an hour of it
broker -q delete orders --force
broker -q delete totals --force 2>/dev/null || true

# ---- examples of broker.1 -----------------------------------------------------------------------------------------------------------------
stop_broker
awk '/^\.Sh EXAMPLES/ { on = 1 } /^\.Sh SEE/ { on = 0 } on && /^\.Ed/ { inside = 0; n++ } inside { print > ("broker-example-" n + 0) } on && /^\.Bd/ { inside = 1 }' \
    "$top/broker/broker.1"
m=0
run_example() {
    m=$((m + 1))
    got=0
    timeout 60 bash -euc "$(cat "$1")" >out 2>err </dev/null || got=$?
    [ $got = "$2" ] || wrong "broker.1, $1: exit status $got: $(cat "$1" err)"
}
alarms() { printf '#!/bin/sh\necho alarm >>%s\n' "$work/alarms" >tools/alarm && chmod +x tools/alarm; }
alarms
for example in broker-example-*; do
    case $(cat "$example") in
    *'broker stop'*) run_example "$example" 0 ;;
    *ready*)
        { cat "$example"; echo '[ "$line" = READY ]; broker ping; broker -q stop; wait'; } >with-end
        run_example with-end 0
        ;;
    *drained*)
        broker -q -d -t orders
        seq 10 | producer -q orders
        start drain consumer -q orders
        run_example "$example" 0
        broker -q seal orders
        finish drain
        broker -q stop
        ;;
    *lag*)
        broker -q -d -t orders
        seq 2000 | producer -q orders
        consumer -q -e -g billing -c 500 orders >out
        run_example "$example" 0
        [ "$(cat alarms)" = alarm ] || wrong "no alarm though 1,500 wait"
        consumer -q -e -g billing orders >out
        run_example "$example" 0
        [ "$(cat alarms)" = alarm ] || wrong "an alarm though nothing waits"
        broker -q stop
        ;;
    *)
        broker -q -d
        run_example "$example" 0
        broker -q describe buffer >out
        broker -q stop
        ;;
    esac
done
[ $m -ge 6 ] || fail "only $m examples of broker.1 ran"
all_well "$n examples of consumer.1 and $m of broker.1 run; --help, pages and parsers agree"
