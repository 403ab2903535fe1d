# curves.gp - draws what curves.awk has written.
# Usage: gnuplot -e "to = 'data/bench'" curves-data.gp curves.gp
font = 'DejaVu Sans,10'
set border 3 lc rgb '#444444'
set grid xtics ytics lt 1 lw 1 lc rgb '#dddddd'
set tics nomirror out

if (exists("throughput_plot")) {
    set terminal pngcairo size 860,460 font font background rgb 'white'
    set output to.'/throughput.png'
    set title 'One producer, one consumer: higher is better'
    set xlabel 'size of a record in bytes (each step is 4 times the one before)'
    set ylabel 'MB/s (logarithmic)'
    set key outside right top reverse Left samplen 3 spacing 1.2
    set logscale x 4
    set logscale y 10
    set xtics ('16' 16, '64' 64, '256' 256, '1 Ki' 1024, '4 Ki' 4096, '16 Ki' 16384, '64 Ki' 65536)
    set xrange [14:75000]
    set format y '%.0f'
    eval "plot ".throughput_plot
    unset logscale
    set autoscale
}
if (exists("trip_rows")) {
    set terminal pngcairo size 860,420 font font background rgb 'white'
    set output to.'/trip.png'
    set title 'Round trip of a record of 64 bytes: further left is better'
    set xlabel 'microseconds (logarithmic)'
    unset ylabel
    set key outside right top reverse Left samplen 1 spacing 1.2
    set logscale x 10
    set xtics auto
    set format x '%g'
    eval "set ytics (".trip_tics.")"
    set yrange [0.4:trip_rows + 0.6]
    set xrange [0.1:1000]
    set style line 1 pt 7 ps 1.1 lc rgb '#1f6fb4'
    set style line 2 pt 6 ps 1.1 lc rgb '#1f6fb4'
    set style line 3 pt 7 ps 1.9 lc rgb '#b2182b'
    set style line 4 pt 6 ps 1.9 lc rgb '#b2182b'
    plot $trip_others using 2:1:($3 - $2):(0) with vectors nohead lw 1 lc rgb '#9cc3e6' notitle, \
        $trip_ours using 2:1:($3 - $2):(0) with vectors nohead lw 4 lc rgb '#e7a59f' notitle, \
        $trip_ours using 2:1 with points ls 3 title 'Millrace: half are quicker', \
        $trip_ours using 3:1 with points ls 4 title 'Millrace: 99 % are quicker', \
        $trip_others using 2:1 with points ls 1 title 'others: half', \
        $trip_others using 3:1 with points ls 2 title 'others: 99 %', \
        $trip_others using 2:1:4 with labels right offset -1,0 notitle, \
        $trip_others using 3:1:5 with labels left offset 1,0 notitle, \
        $trip_ours using 2:1:4 with labels right offset -1.5,0 notitle, \
        $trip_ours using 3:1:5 with labels left offset 1.5,0 notitle
    unset logscale
    set autoscale
    set ytics auto
}
if (exists("cost_plots")) {
    set terminal pngcairo size 860,480 font font background rgb 'white'
    set output to.'/cost.png'
    set multiplot layout 2,(cost_plots + 1) / 2 margins 0.07,0.98,0.11,0.84 spacing 0.05,0.19 \
        title "ns for a record of 64 bytes in batches of 32, from append to acknowledgement,\nwhen one thing grows: lower and flatter is better"
    unset key
    unset title
    set logscale x 10
    set xrange [0.8:1500]
    set yrange [0:50]
    set format x '%.0f'
    set format y '%.0f'
    set xtics (1, 10, 100, 1000)
    set ytics 10
    do for [i = 1:cost_plots] {
        eval sprintf("set xlabel cost_unit%d", i)
        if (i % ((cost_plots + 1) / 2) == 1) { set ylabel 'ns' } else { unset ylabel }
        eval sprintf("plot $cost%d using 1:2 with linespoints pt 7 ps 1.1 lw 4 lc rgb '#b2182b'", i)
    }
    unset multiplot
}
