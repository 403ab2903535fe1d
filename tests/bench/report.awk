# report.awk - tables out of the lines of results.json, and the bars, each met or missed by how much.
# Usage: awk -v form=text|markdown -f report.awk results.json
# In text every size of "stream" has a table of its own; in Markdown, for data/bench/README.md,
# three sizes stand side by side.
BEGIN { FS = "\"" }
/^\{"group"/ {
    group = $4; series = $8; at = substr($11, 2) + 0; metric = $14
    value[group, series, at, metric] = substr($17, 2) + 0
    if (!((group, series) in known)) {
        known[group, series] = ++series_cnt[group]
        name[group, series_cnt[group]] = series
    }
    if (!((group, series, at) in placed)) {
        placed[group, series, at] = ++place_cnt[group, series]
        place[group, series, place_cnt[group, series]] = at
    }
    metric_list[group, series, at] = metric_list[group, series, at] SUBSEP metric
}
/^"machine"/ { machine = $0 }

# ---- looking up ----
function has(group, series, at, metric) { return (group, series, at, metric) in value }
function get(group, series, at, metric) { return has(group, series, at, metric) ? value[group, series, at, metric] : "" }
function first_at(group, series) { return place[group, series, 1] }
# A word of the machine's description, text or number.
function about(key,    at, rest) {
    at = index(machine, "\"" key "\":")
    rest = substr(machine, at + length(key) + 3)
    sub(/^"/, "", rest)
    sub(/("?,"[a-z_]*":|"?\}).*/, "", rest)
    return at ? rest : ""
}

# ---- writing ----
function grouped(text,    head) { # 1234567 -> 1,234,567
    for (head = ""; length(text) > 3; text = substr(text, 1, length(text) - 3))
        head = "," substr(text, length(text) - 2) head
    return text head
}
function number(x) { # two or three digits that count, or all before the point
    if (x == "") return ""
    return x >= 1000 ? grouped(sprintf("%.0f", x)) : x >= 100 ? sprintf("%.0f", x) : x >= 10 ? sprintf("%.1f", x) : x >= 0.1 || x == 0 ? sprintf("%.2f", x) : sprintf("%.2g", x)
}
function times(x, y) { return x == "" || y == "" || y == 0 ? "" : number(x / y) }
function bytes(n) { return n >= 1024 ? n / 1024 " KiB" : n " B" }
function title(text) { printf form == "text" ? "\n== %s\n" : "\n**%s**\n\n", text; rows = 0 }
function row(text) { line[++rows] = text } # cells separated by "|"
# The first row is the heading; numbers stand to the right in text.
function table(    r, c, n, cells, wide, cols) {
    for (r = 1; r <= rows; r++) {
        n = split(line[r], cells, "|")
        if (n > cols) cols = n
        for (c = 1; c <= n; c++)
            if (length(cells[c]) > wide[c]) wide[c] = length(cells[c])
    }
    for (r = form == "text" && line[1] == "|" ? 2 : 1; r <= rows; r++) { # Markdown needs a heading even where there is nothing to say
        n = split(line[r], cells, "|")
        for (c = 1; c <= cols; c++)
            if (form == "markdown")
                printf "%s %s ", "|", c <= n ? cells[c] : ""
            else if (c == 1 || left[c])
                printf c == cols ? "  %s" : "  %-" wide[c] "s", c <= n ? cells[c] : ""
            else
                printf "  %" wide[c] "s", c <= n ? cells[c] : ""
        print form == "markdown" ? "|" : ""
        if (r == 1 && form == "markdown") {
            for (c = 1; c <= cols; c++)
                printf "|%s", c == 1 || left[c] ? "---" : "---:"
            print "|"
        }
    }
    split("", left)
}

# ---- the groups ----
# What publishes each record by itself is measured against the ring that does so, too.
function ceiling(series) { return series ~ /batches|every|memcpy/ ? "bare ring, every 32" : "bare ring, each" }
function stream_cells(series, at, unit,    v) {
    v = get("stream", series, at, "records_per_s")
    return "|" (v == "" ? "" : unit == "MB" ? number(v * at / 1e6) : number(v / 1e6)) "|" times(v, get("stream", "pipe", at, "records_per_s")) \
           "|" times(v, get("stream", ceiling(series), at, "records_per_s"))
}
function stream(    i, j, n, at, sizes, series, v, memcpy) {
    if (!series_cnt["stream"]) return
    if (form == "markdown") {
        title("one producer, one consumer: M records/s of 64 B, MB/s of larger ones")
        row("|64 B, M/s|x pipe|x ring|1 KiB, MB/s|x pipe|x ring|64 KiB, MB/s|x pipe|x ring")
        for (i = 1; i <= series_cnt["stream"]; i++) {
            series = name["stream", i]
            row(series stream_cells(series, 64, "M") stream_cells(series, 1024, "MB") stream_cells(series, 65536, "MB"))
        }
        table()
        return
    }
    n = split("16 64 256 1024 16384 65536", sizes, " ")
    for (j = 1; j <= n; j++) {
        at = sizes[j] + 0
        title("one producer, one consumer, records of " bytes(at))
        row("|M records/s|MB/s|x pipe|x ring|x memcpy")
        memcpy = get("stream", "memcpy", at, "records_per_s")
        for (i = 1; i <= series_cnt["stream"]; i++) {
            series = name["stream", i]
            v = get("stream", series, at, "records_per_s")
            if (v != "")
                row(series "|" number(v / 1e6) "|" number(v * at / 1e6) "|" times(v, get("stream", "pipe", at, "records_per_s")) \
                    "|" times(v, get("stream", ceiling(series), at, "records_per_s")) "|" times(v, memcpy))
        }
        table()
    }
}
function trip(    i, series, v) {
    if (!series_cnt["trip"]) return
    title("round trip of 64 B, us")
    row("|p50|p99|p99.9|x pipe|x futex|x ring")
    for (i = 1; i <= series_cnt["trip"]; i++) {
        series = name["trip", i]
        v = get("trip", series, 64, "p50_us")
        row(series "|" number(v) "|" number(get("trip", series, 64, "p99_us")) "|" number(get("trip", series, 64, "p999_us")) \
            "|" times(v, get("trip", "pipe", 64, "p50_us")) "|" times(v, get("trip", "futex", 64, "p50_us")) \
            "|" times(v, get("trip", "bare ring", 64, "p50_us")))
    }
    table()
}
function pattern(    i, series, v) {
    if (!series_cnt["pattern"]) return
    title("several producers x consumers, 64 B in batches of 32")
    row("|M deliveries/s|x 1x1")
    for (i = 1; i <= series_cnt["pattern"]; i++) {
        series = name["pattern", i]
        v = get("pattern", series, 64, "deliveries_per_s")
        row(series "|" number(v / 1e6) "|" times(v, get("pattern", "1x1", 64, "deliveries_per_s")))
    }
    table()
}
function csv(    i, series, at, cat, v) {
    if (!series_cnt["csv"]) return
    title("a CSV file of 1,000,000 rows through the programs to /dev/null")
    row("|rows|wall s|rows/s|x cat|CPU s|peak MiB")
    cat = get("csv", "cat | wc -l", 1000000, "rows_per_s")
    for (i = 1; i <= series_cnt["csv"]; i++) {
        series = name["csv", i]
        at = first_at("csv", series)
        v = get("csv", series, at, "rows_per_s")
        series = series == "cat | wc -l" ? "cat, wc -l" : series # a bar would be a cell's end
        row(series "|" number(at) "|" sprintf("%.3f", get("csv", name["csv", i], at, "wall_s")) "|" number(v) "|" times(v, cat) \
            "|" sprintf("%.3f", get("csv", name["csv", i], at, "cpu_s")) "|" number(get("csv", name["csv", i], at, "peak_mib")))
    }
    table()
}
function cost(    i, j, series, at, text, n, base) {
    if (!series_cnt["cost"]) return
    title("ns for a record of 64 B in batches of 32, from append to acknowledgement, when this grows")
    left[2] = 1
    row("|at: ns|the last x the first")
    for (i = 1; i <= series_cnt["cost"]; i++) {
        series = name["cost", i]
        n = place_cnt["cost", series]
        text = ""
        for (j = 1; j <= n; j++) {
            at = place["cost", series, j]
            text = text (j > 1 ? ", " : "") at ": " number(get("cost", series, at, "ns_per_record"))
        }
        base = get("cost", series, first_at("cost", series), "ns_per_record")
        row(series (series == "topic size" ? ", MiB" : "") "|" text "|" times(get("cost", series, at, "ns_per_record"), base))
    }
    table()
}
function start(    i, series, at) {
    if (!series_cnt["start"]) return
    title("time to begin, and to go on after kill -9, ms")
    row("|p50|p99")
    for (i = 1; i <= series_cnt["start"]; i++) {
        series = name["start", i]
        at = first_at("start", series)
        row(series "|" number(get("start", series, at, "p50_ms")) "|" number(get("start", series, at, "p99_ms")))
    }
    table()
}
function idle(    i, series) {
    if (!series_cnt["idle"]) return
    title("with nothing to do")
    row("|wakeups/s|CPU %")
    for (i = 1; i <= series_cnt["idle"]; i++) {
        series = name["idle", i]
        row(series "|" number(get("idle", series, 1, "wakeups_per_s")) "|" number(get("idle", series, 1, "cpu_percent")))
    }
    table()
}
# Groups that are not compared: each metric as it was said.
function plain(group, text,    i, j, n, series, at, metrics, cells) {
    if (!series_cnt[group]) return
    title(text)
    left[2] = 1
    row("|")
    for (i = 1; i <= series_cnt[group]; i++) {
        series = name[group, i]
        at = first_at(group, series)
        n = split(substr(metric_list[group, series, at], 2), metrics, SUBSEP)
        cells = ""
        for (j = 1; j <= n; j++)
            cells = cells (j > 1 ? ", " : "") metrics[j] " " number(get(group, series, at, metrics[j]))
        gsub(/_/, " ", cells)
        row(series "|" cells)
    }
    table()
}

END {
    who = about("date") ", commit " about("commit") ": " about("cpu") ", " about("cores") " CPUs, " about("memory_mib") " MiB, Linux " about("kernel") \
          ", " about("libc") ", " about("compiler")
    if (form == "text") {
        print "\nMillrace, " who
    } else {
        sub(/, Linux /, ",\nLinux ", who)
        print who "."
        bars()
    }
    stream()
    trip()
    pattern()
    csv()
    cost()
    start()
    idle()
    plain("pace", "how late records of -r come, by the machine's clock")
    plain("recovery", "crash safety: what it does when it is needed, and costs when it is not")
    plain("find", "beginning somewhere in a full topic of 1 GiB")
    if (form == "text")
        bars()
}
