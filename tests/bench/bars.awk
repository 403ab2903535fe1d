# bars.awk - what was promised, and whether the run that report.awk has read keeps it. To be used with report.awk.

# Why a value is not there: peers are left out where they are not installed.
function why(series) {
    return series == "boost" ? "Boost.Interprocess is not installed" : series == "zeromq" ? "ZeroMQ is not installed" : \
           series == "miller" ? "Miller is not installed" : series == "python" ? "Python is not installed" : "no result of \"" series "\""
}
function want(group, series, at, metric) {
    if (has(group, series, at, metric)) return value[group, series, at, metric]
    if (missing == "") missing = why(series)
    return 0
}
# bar adds a row: how is ">=" or "<="; unit goes behind both figures. What want() missed since the last bar is why it is not measured.
function bar(what, how, wanted, unit, got,    verdict) {
    if (missing != "")
        verdict = "not measured: " missing
    else if (how == ">=" ? got >= wanted : got <= wanted)
        verdict = "met"
    else
        verdict = "missed by " sprintf("%.0f", 100 * (how == ">=" ? 1 - got / wanted : got / wanted - 1)) " %"
    if (verdict == "met") met++
    all++
    row(what "|" (how == ">=" ? "at least " : "at most ") wanted unit "|" (missing == "" ? number(got) unit : "") "|" verdict)
    missing = ""
}
# ratio of two series of a group at the same place.
function ratio(group, a, b, at, metric,    x, y) {
    x = want(group, a, at, metric)
    y = want(group, b, at, metric)
    return y ? x / y : 0
}
function faster(what, a, b, at, wanted) { bar(what " x " b, ">=", wanted, " x", ratio("stream", a, b, at, "records_per_s")) }
# Rows a second, each with as many rows as it had.
function rows_ratio(a, b,    x, y) {
    x = want("csv", a, first_at("csv", a) + 0, "rows_per_s")
    y = want("csv", b, first_at("csv", b) + 0, "rows_per_s")
    return y ? x / y : 0
}
function cost_ratio(series, many, few,    x, y) {
    x = want("cost", series, many, "ns_per_record")
    y = want("cost", series, few, "ns_per_record")
    return y ? x / y : 0
}

function bars(    i, n, who) {
    title("the bars, as ratios of this run")
    left[4] = 1
    row("|wanted|measured|")
    faster("64 B, batches of 32:", "millrace, batches", "pipe", 64, 15)
    faster("64 B, batches of 32:", "millrace, batches", "boost", 64, 8)
    faster("64 B, batches of 32:", "millrace, batches", "bare ring, every 32", 64, 0.6)
    faster("64 B, each by its own call:", "millrace, one by one", "pipe", 64, 6)
    faster("64 B, each by its own call:", "millrace, one by one", "boost", 64, 2.5)
    faster("1 KiB, batches:", "millrace, batches", "pipe", 1024, 10)
    faster("1 KiB, batches:", "millrace, batches", "bare ring, every 32", 1024, 0.8)
    faster("64 KiB, batches:", "millrace, batches", "bare ring, every 32", 65536, 0.8)
    bar("round trip, both spinning x bare ring", "<=", 2, " x", ratio("trip", "millrace, spinning", "bare ring", 64, "p50_us"))
    bar("round trip, both asleep x futex", "<=", 1.2, " x", ratio("trip", "millrace, asleep", "futex", 64, "p50_us"))
    bar("2 producers, 2 consumers x 1 and 1", ">=", 0.8, " x", ratio("pattern", "2x2", "1x1", 64, "deliveries_per_s"))
    bar("four groups, all deliveries x one group", ">=", 2, " x", ratio("pattern", "1x4 groups", "1x1", 64, "deliveries_per_s"))
    bar("CSV, raw: wall x cat, wc -l", "<=", 1, " x", ratio("csv", "millrace raw", "cat | wc -l", 1000000, "wall_s"))
    bar("CSV, raw: CPU x cat, wc -l", "<=", 2, " x", ratio("csv", "millrace raw", "cat | wc -l", 1000000, "cpu_s"))
    bar("CSV, raw: memory, a topic of 16 MiB included", "<=", 32, " MiB", want("csv", "millrace raw", 1000000, "peak_mib"))
    n = split("json,keyed", who, ",")
    for (i = 1; i <= n; i++) {
        bar("CSV, " who[i] ": rows/s x Miller", ">=", 3, " x", rows_ratio("millrace " who[i], "miller"))
        bar("CSV, " who[i] ": rows/s x raw", ">=", 0.5, " x", rows_ratio("millrace " who[i], "millrace raw"))
    }
    bar("CSV, raw: rows/s x Python's queue", ">=", 25, " x", rows_ratio("millrace raw", "python"))
    bar("a record in a topic of 1 GiB x 1 MiB", "<=", 1.2, " x", cost_ratio("topic size", 1024, 1))
    bar("a record beside 64 idle clients x 1", "<=", 1.2, " x", cost_ratio("idle clients", 64, 1))
    n = split("consumer,broker", who, ",")
    for (i = 1; i <= n; i++) {
        bar("idle " who[i], "<=", 2, " wakeups/s", want("idle", who[i], 1, "wakeups_per_s"))
        bar("idle " who[i], "<=", 0.05, " % CPU", want("idle", who[i], 1, "cpu_percent"))
    }
    bar("-r 25: half of the records", "<=", 1, " ms late", want("pace", "-r 25", 1, "late_p50_ms"))
    bar("-r 1M", ">=", 990000, " records/s", want("pace", "-r 1M", 1, "records_per_s"))
    bar("attach", "<=", 2, " ms", want("start", "attach", 1, "p50_ms"))
    bar("create a topic of 16 MiB", "<=", 20, " ms", want("start", "create 16 MiB", 1, "p50_ms"))
    bar("broker status with 1,000 topics", "<=", 100, " ms", want("start", "status of 1000 topics", 1000, "p50_ms"))
    table()
    printf form == "text" ? "  %d of %d met\n" : "\n%d of %d met.\n", met, all
}
