# curves.awk - the curves as gnuplot wants them: a data block for each series, and for each picture NAME a text NAME_plot, what to plot.
# Usage: awk -f curves.awk results.json >curves-data.gp
# Millrace is drawn strong, ceilings in grey and dashed, everybody else thin, so that one sees at once what is compared.
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
    return name ~ /^millrace/ ? "lw 3.5 ps 1.1 lc rgb '" (name ~ /one by one/ ? "#f0554b" : "#b2182b") "'" : \
           name ~ /^(bare ring|memcpy)/ ? "lw 1.5 ps 0.7 dt 2 lc rgb '" (name ~ /memcpy/ ? "#aaaaaa" : name ~ /each/ ? "#777777" : "#333333") "'" : \
           "lw 1.5 ps 0.8 lc rgb '" colours[nth % 7 + 1] "'"
}
function curves(picture, group,    i, name, block, text) {
    for (i = 1; i <= series_cnt[group]; i++) {
        name = series[group, i]
        block = "$" picture i
        printf "%s << EOD\n%sEOD\n", block, points[group, name]
        text = text (i > 1 ? ", " : "") block " using 1:2 with linespoints pt 7 " style(name, i) " title '" name "'"
    }
    if (text)
        printf "%s_plot = \"%s\"\n", picture, text
}
END {
    curves("throughput", "stream")
    curves("cost", "cost")
    if (!series_cnt["trip"])
        exit
    print "$trip << EOD"
    for (i = 1; i <= series_cnt["trip"]; i++) {
        name = series["trip", i]
        printf "\"%s\" %s %s %s\n", name, quantile[name, "p50_us"], quantile[name, "p99_us"], quantile[name, "p999_us"]
    }
    print "EOD\ntrip_plot = \"$trip using 2:xtic(1) title 'p50' lc rgb '#b2182b', '' using 3 title 'p99' lc rgb '#ef8a62', '' using 4 title 'p99.9' lc rgb '#fddbc7'\""
}
