# SPDX-License-Identifier: MIT
# paper.gp - draw what paper.sh measured; paper_plot.sh sets the variables
#
# data: folder with memcpy, mpich, snoo (buffer, median, min, max) and ratio
# reg, run, block: last buffer of the path; ratio: 1 if there is a peer to compare
# head, where, peer: texts

lo = 0.75
hi = 4194304 * 1.33

set logscale x 2
set xrange [lo:hi]
set border 3 lc rgb '#555555'
set grid ytics lc rgb '#e4e4e4' lt 1 lw 1
set tics nomirror out
set style line 1 lc rgb '#c8321e' lw 2.5 pt 7 ps 0.7
set style line 2 lc rgb '#1f5fa8' lw 2.5 pt 5 ps 0.6
set style line 3 lc rgb '#8a8a8a' lw 1.5 dt 2
set style line 9 lc rgb '#999999' lw 1.2 dt 3
labels = "set xtics ('1 B' 1, '4' 4, '16' 16, '64' 64, '256' 256, " . \
	"'1 KiB' 1024, '4' 4096, '16' 16384, '64' 65536, '256' 262144, " . \
	"'1 MiB' 1048576, '4' 4194304); set xlabel 'message buffer'"
set arrow 1 from reg, graph 0 to reg, graph 1 nohead ls 9
set arrow 3 from run, graph 0 to run, graph 1 nohead ls 9
set arrow 2 from block, graph 0 to block, graph 1 nohead ls 9

set multiplot
set lmargin at screen 0.085
set rmargin at screen 0.975

# Bandwidth, with the paths' names above and their ends at the foot.
set tmargin at screen 0.86
set bmargin at screen (ratio ? 0.37 : 0.12)
set label 1 head at screen 0.085, 0.955 font ',15'
set label 2 where at screen 0.085, 0.917 font ',10' tc rgb '#666666'
set label 3 'register' at sqrt(lo * reg), graph 1.03 center font ',10' tc rgb '#555555'
set label 8 'lines' at sqrt(reg * run), graph 1.03 center font ',10' tc rgb '#555555'
set label 4 'block' at sqrt(run * block), graph 1.03 center font ',10' tc rgb '#555555'
set label 5 'streamed' at sqrt(block * hi), graph 1.03 center font ',10' tc rgb '#555555'
set label 6 sprintf('to %d B ', reg) at reg, graph 0.035 right font ',9' tc rgb '#777777'
set label 9 sprintf('to %d KiB ', run / 1024) at run, graph 0.035 right font ',9' tc rgb '#777777'
set label 7 sprintf('to %d KiB ', block / 1024) at block, graph 0.035 right font ',9' tc rgb '#777777'
set logscale y 10
set ylabel 'bandwidth, GB/s' offset 1
set ytics (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
if (ratio) {
	set xtics 1, 4
	set format x ''
} else {
	@labels
}
set key bottom right invert Left reverse samplen 2 spacing 1.3 font ',11' \
	at graph 0.985, 0.09
if (ratio) {
	plot data.'/memcpy' using 1:2 with lines ls 3 title 'memcpy, one core', \
	     data.'/mpich' using 1:2:3:4 with yerrorbars ls 2 lw 1 ps 0 notitle, \
	     data.'/mpich' using 1:2 with linespoints ls 2 title peer, \
	     data.'/snoo' using 1:2:3:4 with yerrorbars ls 1 lw 1 ps 0 notitle, \
	     data.'/snoo' using 1:2 with linespoints ls 1 title 'SNOO'
} else {
	plot data.'/memcpy' using 1:2 with lines ls 3 title 'memcpy, one core', \
	     data.'/snoo' using 1:2:3:4 with yerrorbars ls 1 lw 1 ps 0 notitle, \
	     data.'/snoo' using 1:2 with linespoints ls 1 title 'SNOO'
}

# How many times faster.
if (ratio) {
	unset label
	unset key
	set tmargin at screen 0.32
	set bmargin at screen 0.12
	unset logscale y
	set yrange [0:*]
	set ytics auto
	set ylabel 'SNOO / MPICH' offset 1
	@labels
	set arrow 3 from lo, first 1 to hi, first 1 nohead lc rgb '#1f5fa8' lw 1
	plot data.'/ratio' using 1:2 with linespoints ls 1
}
unset multiplot
