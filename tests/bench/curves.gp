# curves.gp - draws what curves.awk has written. Usage: gnuplot -e "to = 'data/bench'" curves-data.gp curves.gp
set terminal pngcairo size 800,430 font 'DejaVu Sans,10' background rgb 'white'
set border 3 lc rgb '#444444'
set grid xtics ytics lt 1 lw 1 lc rgb '#dddddd'
set tics nomirror out
set key outside right top reverse Left samplen 2 spacing 1.2
set logscale y 10

if (exists("cost_plot")) {
    set output to.'/cost.png'
    set title 'One record of 64 B, in batches of 32, from append to acknowledgement'
    set xlabel 'how many there are, or MiB'
    set ylabel 'ns'
    set logscale x 10
    set xrange [0.9:1200]
    set yrange [10:1000]
    eval "plot ".cost_plot
    unset logscale x
    set autoscale
}
if (exists("throughput_plot")) {
    set output to.'/throughput.png'
    set title 'One producer, one consumer'
    set xlabel 'record'
    set ylabel 'MB/s'
    set logscale x 2
    set xtics ('16 B' 16, '64 B' 64, '256 B' 256, '1 KiB' 1024, '4 KiB' 4096, '16 KiB' 16384, '64 KiB' 65536)
    set xrange [14:75000]
    eval "plot ".throughput_plot
    unset logscale x
    set autoscale
}
if (exists("trip_plot")) {
    set output to.'/trip.png'
    set title 'Round trip of 64 B'
    unset xlabel
    set ylabel 'us'
    set format y '%g'
    set xtics autofreq rotate by -25
    set style data histograms
    set style histogram clustered gap 1
    set style fill solid 0.9 border rgb '#666666'
    set boxwidth 0.9
    eval "plot ".trip_plot
}
