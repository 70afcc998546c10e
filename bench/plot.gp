# SPDX-License-Identifier: MIT
# plot.gp - draw what run.sh measured; plot.sh sets the variables
#
# data: folder with a file for each library (bytes, median, min, max) and memcpy
# kind: latency (us), bandwidth (GB/s) or rate (millions a second)
# bare: one-way time of a line, us; lines: bare lines in a stream, millions a second
# reg, run, block: largest message of the path; head, where: texts

lo = 0.75
hi = 4194304 * 1.33

set logscale x 2
set logscale y 10
set xrange [lo:hi]
set border 3 lc rgb '#555555'
set grid ytics lc rgb '#e4e4e4' lt 1 lw 1
set tics nomirror out
set style line 1 lc rgb '#c8321e' lw 2.5 pt 7 ps 0.7
set style line 2 lc rgb '#1f5fa8' lw 2.5 pt 5 ps 0.6
set style line 3 lc rgb '#2e8b57' lw 2.5 pt 9 ps 0.7
set style line 5 lc rgb '#8e44ad' lw 2 pt 13 ps 0.7
set style line 6 lc rgb '#1f5fa8' lw 1.5 dt 4 pt 4 ps 0.5
set style line 7 lc rgb '#2e8b57' lw 1.5 dt 4 pt 8 ps 0.6
set style line 4 lc rgb '#8a8a8a' lw 1.5 dt 2
set style line 9 lc rgb '#999999' lw 1.2 dt 3
set xtics ('1 B' 1, '4' 4, '16' 16, '64' 64, '256' 256, '1 KiB' 1024, \
	'4' 4096, '16' 16384, '64' 65536, '256' 262144, '1 MiB' 1048576, \
	'4' 4194304)
set xlabel 'message'
set arrow 1 from reg, graph 0 to reg, graph 1 nohead ls 9
set arrow 3 from run, graph 0 to run, graph 1 nohead ls 9
set arrow 2 from block, graph 0 to block, graph 1 nohead ls 9
set lmargin at screen 0.085
set rmargin at screen 0.975
set tmargin at screen 0.82
set bmargin at screen 0.14
set label 1 head at screen 0.085, 0.945 font ',15'
set label 2 where at screen 0.085, 0.895 font ',10' tc rgb '#666666'
set label 3 'register' at sqrt(lo * reg), graph 1.03 center font ',10' tc rgb '#555555'
set label 8 'lines' at sqrt(reg * run), graph 1.03 center font ',10' tc rgb '#555555'
set label 4 'block' at sqrt(run * block), graph 1.03 center font ',10' tc rgb '#555555'
set label 5 'streamed' at sqrt(block * hi), graph 1.03 center font ',10' tc rgb '#555555'

if (kind eq 'latency') {
	set ylabel 'one way, us' offset 2
	set ytics (0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)
	set key top left invert Left reverse samplen 2 spacing 1.3 font ',11' \
		at graph 0.02, 0.97
	plot [lo:hi] (x <= reg ? bare : NaN) with lines ls 4 title 'bare cache line', \
	     data.'/openmpi_nocma' using 1:2:3:4 with yerrorbars ls 7 lw 1 ps 0 notitle, \
	     data.'/openmpi_nocma' using 1:2 with linespoints ls 7 title 'Open MPI without CMA', \
	     data.'/mpich_nocma' using 1:2:3:4 with yerrorbars ls 6 lw 1 ps 0 notitle, \
	     data.'/mpich_nocma' using 1:2 with linespoints ls 6 title 'MPICH without CMA', \
	     data.'/ucx' using 1:2:3:4 with yerrorbars ls 5 lw 1 ps 0 notitle, \
	     data.'/ucx' using 1:2 with linespoints ls 5 title 'UCX', \
	     data.'/openmpi' using 1:2:3:4 with yerrorbars ls 3 lw 1 ps 0 notitle, \
	     data.'/openmpi' using 1:2 with linespoints ls 3 title 'Open MPI', \
	     data.'/mpich' using 1:2:3:4 with yerrorbars ls 2 lw 1 ps 0 notitle, \
	     data.'/mpich' using 1:2 with linespoints ls 2 title 'MPICH', \
	     data.'/snoo' using 1:2:3:4 with yerrorbars ls 1 lw 1 ps 0 notitle, \
	     data.'/snoo' using 1:2 with linespoints ls 1 title 'SNOO'
} else { if (kind eq 'bandwidth') {
	set ylabel 'bandwidth, GB/s' offset 2
	set ytics (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
	set key bottom right invert Left reverse samplen 2 spacing 1.3 font ',11' \
		at graph 0.985, 0.05
	plot data.'/memcpy' using 1:2 with lines ls 4 title 'memcpy, one core', \
	     data.'/openmpi_nocma' using 1:2:3:4 with yerrorbars ls 7 lw 1 ps 0 notitle, \
	     data.'/openmpi_nocma' using 1:2 with linespoints ls 7 title 'Open MPI without CMA', \
	     data.'/mpich_nocma' using 1:2:3:4 with yerrorbars ls 6 lw 1 ps 0 notitle, \
	     data.'/mpich_nocma' using 1:2 with linespoints ls 6 title 'MPICH without CMA', \
	     data.'/ucx' using 1:2:3:4 with yerrorbars ls 5 lw 1 ps 0 notitle, \
	     data.'/ucx' using 1:2 with linespoints ls 5 title 'UCX', \
	     data.'/openmpi' using 1:2:3:4 with yerrorbars ls 3 lw 1 ps 0 notitle, \
	     data.'/openmpi' using 1:2 with linespoints ls 3 title 'Open MPI', \
	     data.'/mpich' using 1:2:3:4 with yerrorbars ls 2 lw 1 ps 0 notitle, \
	     data.'/mpich' using 1:2 with linespoints ls 2 title 'MPICH', \
	     data.'/snoo' using 1:2:3:4 with yerrorbars ls 1 lw 1 ps 0 notitle, \
	     data.'/snoo' using 1:2 with linespoints ls 1 title 'SNOO'
} else {
	set ylabel 'messages, millions a second' offset 2
	set ytics (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
	set key bottom left invert Left reverse samplen 2 spacing 1.3 font ',11' \
		at graph 0.02, 0.05
	plot [lo:hi] (x <= reg ? lines : NaN) with lines ls 4 title 'bare cache lines', \
	     data.'/ucx' using 1:2:3:4 with yerrorbars ls 5 lw 1 ps 0 notitle, \
	     data.'/ucx' using 1:2 with linespoints ls 5 title 'UCX', \
	     data.'/openmpi' using 1:2:3:4 with yerrorbars ls 3 lw 1 ps 0 notitle, \
	     data.'/openmpi' using 1:2 with linespoints ls 3 title 'Open MPI', \
	     data.'/mpich' using 1:2:3:4 with yerrorbars ls 2 lw 1 ps 0 notitle, \
	     data.'/mpich' using 1:2 with linespoints ls 2 title 'MPICH', \
	     data.'/snoo' using 1:2:3:4 with yerrorbars ls 1 lw 1 ps 0 notitle, \
	     data.'/snoo' using 1:2 with linespoints ls 1 title 'SNOO'
} }
