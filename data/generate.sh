#!/bin/sh
# generate.sh - writes the samples and the CSV edge cases into a folder. Always the same bytes: the random numbers are our own.
# Usage: data/generate.sh [DIR]     DIR is data/ itself if not given; tests/program/e2e_data.sh compares a fresh run with what is committed
#   orders.csv     12,000 orders; notes and items with quotes, doubled quotes, commas, line breaks, UTF-8
#   sensors.csv     8,640 readings of 12 sensors; lines end with CRLF
#   pageviews.csv  10,000 views; the last line has no line end
#   edge/          small files, each with its rows as they are to be understood: see edge/README
set -eu
export LC_ALL=C
out=${1:-$(dirname "$0")}
mkdir -p "$out/edge"

# Random numbers (Park and Miller's minimal standard: exact in doubles, so the same with every awk) and dates, for all samples.
# shellcheck disable=SC2016  # awk's dollars, not ours
shared='
function below(n) { seed = (seed * 16807) % 2147483647; return int(seed / 2147483647 * n) }
function pick(list, n) { return list[1 + below(n)] }
# Few are many: small numbers come far more often than large ones.
function few(n) { return int(below(1000) * below(1000) * n / 1000000) }
# Milliseconds since 2026-01-01 as ISO 8601; the year is enough for every sample.
function iso(ms,   days, m, s) {
    days = int(ms / 86400000); ms -= days * 86400000; s = int(ms / 1000)
    for (m = 1; days >= month[m]; m++)
        days -= month[m]
    return sprintf("2026-%02d-%02dT%02d:%02d:%02d.%03dZ", m, days + 1, int(s / 3600), int(s / 60) % 60, s % 60, ms % 1000)
}
BEGIN { split("31 28 31 30 31 30 31 31 30 31 30 31", month, " ") }
'

awk "$shared"'
function cents(c) { return sprintf("%d.%02d", int(c / 100), c % 100) }
BEGIN {
    seed = 20260301
    items = split("Espresso beans 1 kg|Green tea|\"Cable, USB-C, 2 m\"|\"Monitor 27\"\"\"|Desk lamp|Notebook A5|Käsereibe|" \
        "Wool socks|Crème brûlée set|Bicycle bell|\"Screws, M4, 100 pcs\"|Mechanical keyboard|日本茶 急須|Rain jacket|Chess set|" \
        "\"Frame 12\"\" x 16\"\"\"|Garden hose|Headphones|Smørrebrød board|Backpack", item, "|")
    split("1890 640 1299 18900 3495 420 1150 980 2750 799 549 8990 4200 6450 2499 1675 2190 5900 1980 4750", price, " ")
    countries = split("DE DE DE DE US US US FR FR GB GB JP BR AT CH ES IN PL SE NL", country, " ")
    notes = split("leave at the door|gift|\"ring twice, please\"|call before delivery|\"he said \"\"no hurry\"\"\"|" \
        "\"Hinterhaus, 2. Stock\nbei Müller klingeln\"|🎁 Geschenk für Zoë|\"c/o \"\"Café Süß\"\", Größe L\"|" \
        "\"Line one\nline two\n\nline four\"|\"invoice to Renée O\047Brien, dept. 7\"|配達は午後|\"fragile!, \"\"this side up\"\" ⬆\"|" \
        "no plastic|Ünlü & Søn A/S|\"\"\"\"|\"two parcels,\r\none address\"|urgent 🚚💨|second try", note, "|")
    print "order_id,user_id,item,quantity,unit_price,total,country,ts,note"
    ms = 59 * 86400000
    for (id = 1; id <= 12000; id++) {
        ms += 1 + below(400000)
        n = 1 + few(items); q = 1 + few(12)
        printf "%d,user-%04d,%s,%d,%s,%s,%s,%s,%s\n", id, few(4000), item[n], q, cents(price[n]), cents(q * price[n]), \
            pick(country, countries), iso(ms), below(100) < 30 ? "" : pick(note, notes)
    }
}' >"$out/orders.csv"

awk "$shared"'
BEGIN {
    seed = 41
    sensors = split("hall-1 hall-2 hall-3 roof-north roof-south cellar lab-a lab-b server-room cold-store gate yard", sensor, " ")
    split("205 208 211 120 140 150 221 222 240 40 130 110", base, " ")
    printf "timestamp,sensor,temperature,humidity,status\r\n"
    for (minute = 0; minute < 1440; minute += 2)
        for (s = 1; s <= sensors; s++) {
            drift[s] += below(7) - 3 - (drift[s] > 40) + (drift[s] < -40)
            t = base[s] + drift[s]; chance = below(1000)
            reading = (t < 0 ? "-" : "") sprintf("%d.%d", int((t < 0 ? -t : t) / 10), (t < 0 ? -t : t) % 10)
            status = chance < 985 ? "ok" : chance < 991 ? "low battery" : chance < 996 ? "\"error, E12\"" : "\"self-test \"\"B\"\"\""
            if (chance >= 991 && chance < 996)
                reading = ""
            printf "%s,%s,%s,%d.%d,%s\r\n", iso((120 * 1440 + minute) * 60000), sensor[s], reading, 35 + below(20), below(10), status
        }
}' >"$out/sensors.csv"

awk "$shared"'
BEGIN {
    seed = 7
    paths = split("/|/products|/cart|/about|/products/42|/search?q=tea|\"/search?q=red,green\"|/checkout|/blog/größen|/blog/2026/03|" \
        "/help|\"/search?q=\"\"exact\"\"\"|/login|/static/app.js", path, "|")
    referrers = split("||||https://example.com/|https://search.example.org/?q=shop|/|/products|/cart|https://news.example.net/a", referrer, "|")
    statuses = split("200 200 200 200 200 200 200 304 301 404 500", status, " ")
    printf "ts,session,path,referrer,status,ms"
    ms = 150 * 86400000
    for (n = 0; n < 10000; n++) {
        ms += 1 + below(3000)
        printf "\n%s,s%06x,%s,%s,%s,%d", iso(ms), 1000 + int(n / 8) * 7 + few(40), path[1 + few(paths)], pick(referrer, referrers), \
            pick(status, statuses), 1 + few(900)
    }
}' >"$out/pageviews.csv"

# edge NAME CSV EXPECTED: both texts are formats of printf.
edge() {
    # shellcheck disable=SC2059
    printf "$2" >"$out/edge/$1.csv"
    # shellcheck disable=SC2059
    printf "$3" >"$out/edge/$1.expected"
}
edge empty '' ''
edge header-only 'id,name\n' '7\tlf\tid\tname\n'
edge header-no-newline 'id,name' '7\tnone\tid\tname\n'
edge newline-only '\n' '0\tlf\t\n'
edge one-byte 'x' '1\tnone\tx\n'
edge one-column 'name\nx\ny\n' '4\tlf\tname\n1\tlf\tx\n1\tlf\ty\n'
edge bom '\357\273\277id,name\n1,a\n' 'bom\n7\tlf\tid\tname\n3\tlf\t1\ta\n'
edge bom-only '\357\273\277' 'bom\n'
edge bom-quoted '\357\273\277"id",name\n1,a\n' 'bom\n9\tlf\tid\tname\n3\tlf\t1\ta\n'
edge crlf 'id,name\r\n1,a\r\n2,"b"\r\n' '7\tcrlf\tid\tname\n3\tcrlf\t1\ta\n5\tcrlf\t2\tb\n'
edge crlf-no-final 'id,name\r\n1,a\r\n2,b' '7\tcrlf\tid\tname\n3\tcrlf\t1\ta\n3\tnone\t2\tb\n'
edge mixed-ends 'id,name\n1,a\r\n2,b\n3,c' '7\tlf\tid\tname\n3\tcrlf\t1\ta\n3\tlf\t2\tb\n3\tnone\t3\tc\n'
edge cr-inside 'id,name\n1,a\rb\n"2\r",c\n3,\r\r\n' '7\tlf\tid\tname\n5\tlf\t1\ta\\rb\n6\tlf\t2\\r\tc\n3\tcrlf\t3\t\\r\n'
edge cr-final 'id,name\n1,a\r' '7\tlf\tid\tname\n4\tnone\t1\ta\\r\n'
edge no-final-newline 'id,name\n1,a\n2,b' '7\tlf\tid\tname\n3\tlf\t1\ta\n3\tnone\t2\tb\n'
edge no-final-newline-quoted 'id,name\n1,"a\n"' '7\tlf\tid\tname\n6\tnone\t1\ta\\n\n'
edge quoted-newline 'id,note\n1,"a\nb"\n2,"\n"\n3,"x\r\ny"\n4,"\n\n"\n' \
    '7\tlf\tid\tnote\n7\tlf\t1\ta\\nb\n5\tlf\t2\t\\n\n8\tlf\t3\tx\\r\\ny\n6\tlf\t4\t\\n\\n\n'
edge quoted-newline-header '"id\nnr",name\n1,a\n' '12\tlf\tid\\nnr\tname\n3\tlf\t1\ta\n'
edge quoted-separators '"a,b",c\n"1,2",","\n' '7\tlf\ta,b\tc\n9\tlf\t1,2\t,\n'
edge doubled-quotes 'id,note\n1,"say ""hi"""\n2,""""\n3,""""""\n' '7\tlf\tid\tnote\n14\tlf\t1\tsay "hi"\n6\tlf\t2\t"\n8\tlf\t3\t""\n'
edge empty-fields 'a,b,c\n,,\n"","",""\n1,,\n' '5\tlf\ta\tb\tc\n2\tlf\t\t\t\n8\tlf\t\t\t\n3\tlf\t1\t\t\n'
edge empty-lines 'id,name\n\n1,a\n\n\r\n2,b\n\n' '7\tlf\tid\tname\n0\tlf\t\n3\tlf\t1\ta\n0\tlf\t\n0\tcrlf\t\n3\tlf\t2\tb\n0\tlf\t\n'
edge only-quotes '""\n""\n' '2\tlf\t\n2\tlf\t\n'
edge spaces ' id, name \n 1, a \n  \n' '10\tlf\t id\t name \n6\tlf\t 1\t a \n2\tlf\t  \n'
edge ragged 'a,b\n1\n1,2,3\n' '3\tlf\ta\tb\n1\tlf\t1\n5\tlf\t1\t2\t3\n'
edge duplicate-columns 'a,a\n1,2\n' '3\tlf\ta\ta\n3\tlf\t1\t2\n'
edge backslashes 'id,path\n1,C:\\dir\\n\n2,"\\"\n' '7\tlf\tid\tpath\n10\tlf\t1\tC:\\\\dir\\\\n\n5\tlf\t2\t\\\\\n'
edge utf8 'gr\303\266\303\237e,\345\220\215\n1,\360\237\216\201\n' '11\tlf\tgr\\xc3\\xb6\\xc3\\x9fe\t\\xe5\\x90\\x8d\n6\tlf\t1\t\\xf0\\x9f\\x8e\\x81\n'
edge not-utf8 'id,name\n1,caf\351\n2,\377\376\n' '7\tlf\tid\tname\n6\tlf\t1\tcaf\\xe9\n4\tlf\t2\t\\xff\\xfe\n'
edge nul-bytes 'id,blob\n1,a\000b\n2,\000\n\000,"\000"\n' '7\tlf\tid\tblob\n5\tlf\t1\ta\\x00b\n3\tlf\t2\t\\x00\n5\tlf\t\\x00\t\\x00\n'
edge control-bytes 'id,text\n1,a\tb\n2,\033[1m\177\n' '7\tlf\tid\ttext\n5\tlf\t1\ta\\tb\n7\tlf\t2\t\\x1b[1m\\x7f\n'
edge bad-quote-in-field 'id,name\n1,a"b\n2,c\n' '7\tlf\tid\tname\nerror\tquote in field\tline 2\tbyte 11\n3\tlf\t2\tc\n'
edge bad-text-after-quote 'id,name\n1,"a"b\n2,c\n' '7\tlf\tid\tname\nerror\ttext after quote\tline 2\tbyte 13\n3\tlf\t2\tc\n'
edge bad-open-quote 'id,name\n1,"a\n2,b\n3,c\n' '7\tlf\tid\tname\nerror\topen quote\tline 2\tbyte 10\n3\tlf\t2\tb\n3\tlf\t3\tc\n'
edge bad-after-newline 'id,name\n1,"a\nb"\n2,x"y\n3,c\n' '7\tlf\tid\tname\n7\tlf\t1\ta\\nb\nerror\tquote in field\tline 4\tbyte 19\n3\tlf\t3\tc\n'

awk -v out="$out/edge/long-field" 'BEGIN {
    while (length(field) < 102400)
        field = field sprintf("%06d,ab\n", length(field))
    field = substr(field, 1, 102400); plain = escaped = field
    gsub(/[,\n]/, ".", plain); gsub(/\n/, "\\n", escaped)
    printf "id,field\n1,%s\n2,\"%s\"\n3,short\n", plain, field >(out ".csv")
    printf "8\tlf\tid\tfield\n102402\tlf\t1\t%s\n102404\tlf\t2\t%s\n7\tlf\t3\tshort\n", plain, escaped >(out ".expected")
}'

awk -v out="$out/edge/thousand-columns" 'BEGIN {
    for (i = 1; i <= 1000; i++) {
        header = header (i > 1 ? "," : "") "c" i; header_fields = header_fields "\tc" i
        row = row (i > 1 ? "," : "") i * i; row_fields = row_fields "\t" i * i
    }
    printf "%s\n%s\n", header, row >(out ".csv")
    printf "%d\tlf%s\n%d\tlf%s\n", length(header), header_fields, length(row), row_fields >(out ".expected")
}'
