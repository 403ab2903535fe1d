# curves.awk - the results as gnuplot wants them, for curves.gp to draw.
# Usage: awk -f curves.awk results.json >curves-data.gp
# It writes data blocks, and texts that say what to plot:
#   throughput_plot   all series of "stream", MB/s over the size of a record
#   trip_plot         the round trips, one row each, the quickest at the top; trip_rows, trip_tics
#   cost_plots        how many panels "cost" has; cost_NAME1, cost_UNIT1, cost_plot1, ...
# Millrace is drawn heaviest, ceilings grey and dashed, all others thin.
BEGIN { FS = "\"" }
/^\{"group"/ {
    key = $4 SUBSEP $8
    if (!(key in seen)) {
        seen[key] = ++series_cnt[$4]
        series[$4, series_cnt[$4]] = $8
    }
    at = substr($11, 2) + 0
    if ($14 ~ /^(records_per_s|ns_per_record)$/)
        points[key] = points[key] at " " substr($17, 2) * ($14 == "records_per_s" ? at / 1e6 : 1) "\n"
    if ($4 == "trip")
        quantile[$8, $14] = substr($17, 2) + 0
}
function style(name, nth,    colours) {
    split("#1f6fb4 #e69f00 #56b4e9 #009e73 #cc79a7 #8c6d31 #7f3c8d", colours, " ")
    if (name ~ /^millrace/)
        return "lw 5 ps 1.3 lc rgb '" (name ~ /one by one/ ? "#f0554b" : "#b2182b") "'"
    if (name ~ /^(bare ring|memcpy)/)
        return "lw 1.2 ps 0.6 dt 2 lc rgb '" (name ~ /memcpy/ ? "#aaaaaa" : name ~ /each/ ? "#777777" : "#333333") "'"
    return "lw 1.2 ps 0.7 lc rgb '" colours[nth % 7 + 1] "'"
}
function block(name, text) { printf "$%s << EOD\n%sEOD\n", name, text }
# Millrace comes first in the key, and is drawn last, above the others.
function throughput(    i, name, text, keys, lines) {
    for (i = 1; i <= series_cnt["stream"]; i++) {
        name = series["stream", i]
        block("throughput" i, points["stream", name])
        text = "$throughput" i " using 1:2 with linespoints pt 7 " style(name, i)
        if (name ~ /^millrace/) {
            keys = keys "keyentry with linespoints pt 7 " style(name, i) " title '" name "', "
            lines = lines ", " text " notitle"
        } else
            rest = rest (rest ? ", " : "") text " title '" name "'"
    }
    if (rest)
        printf "throughput_plot = \"%s\"\n", keys rest lines
}
function shown(us) { return us >= 100 ? sprintf("%.0f", us) : us >= 10 ? sprintf("%.1f", us) : sprintf("%.2f", us) }
function trip(    i, j, n, name, order, tics, ours, others, row) {
    n = series_cnt["trip"]
    if (!n) return
    for (i = 1; i <= n; i++) { # by the median
        name = series["trip", i]
        for (j = i - 1; j >= 1 && quantile[order[j], "p50_us"] > quantile[name, "p50_us"]; j--)
            order[j + 1] = order[j]
        order[j + 1] = name
    }
    for (i = 1; i <= n; i++) {
        name = order[i]
        tics = tics (i > 1 ? ", " : "") "'" name "' " n - i + 1
        row = n - i + 1 " " quantile[name, "p50_us"] " " quantile[name, "p99_us"] " " \
            shown(quantile[name, "p50_us"]) " " shown(quantile[name, "p99_us"]) "\n"
        if (name ~ /^millrace/) ours = ours row
        else others = others row
    }
    block("trip_ours", ours)
    block("trip_others", others)
    printf "trip_rows = %d\ntrip_tics = \"%s\"\n", n, tics
}
function unit(name) { return name == "topic size" ? "MiB of the topic" : "how many " name }
function cost(    i) {
    for (i = 1; i <= series_cnt["cost"]; i++) {
        block("cost" i, points["cost", series["cost", i]])
        printf "cost_name%d = '%s'\ncost_unit%d = '%s'\n", i, series["cost", i], i, unit(series["cost", i])
    }
    if (series_cnt["cost"])
        print "cost_plots = " series_cnt["cost"]
}
END {
    throughput()
    trip()
    cost()
}
