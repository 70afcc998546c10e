# SPDX-License-Identifier: MIT
# crowd.gp - draw more ranks than cores; plot.sh sets the variables
#
# data: folder with PATTERN.LIBRARY (ranks, median, min, max; us)
# patterns: words; titles: one for each, with a bar between; head, where: texts

set logscale x 2
set logscale y 10
set xrange [1.7:19]
set xtics (2, 4, 8, 16)
set border 3 lc rgb '#555555'
set format y '%g'
set grid ytics lc rgb '#e4e4e4' lt 1 lw 1
set tics nomirror out
set style line 1 lc rgb '#c8321e' lw 2.5 pt 7 ps 0.7
set style line 2 lc rgb '#1f5fa8' lw 2.5 pt 5 ps 0.6
set style line 3 lc rgb '#2e8b57' lw 2.5 pt 9 ps 0.7
set key top left Left reverse samplen 2 font ',10'
set multiplot layout 2, 2 margins 0.08, 0.98, 0.09, 0.84 spacing 0.08, 0.12
set label 1 head at screen 0.08, 0.955 font ',15'
set label 2 where at screen 0.08, 0.915 font ',10' tc rgb '#666666'
do for [i = 1:words(patterns)] {
	p = word(patterns, i)
	bar = strstrt(titles, '|')
	set title titles[1:bar - 1] font ',11' offset 0, -0.6
	titles = titles[bar + 1:]
	if (i > 2) { set xlabel 'ranks' offset 0, 0.5 }
	plot data.'/'.p.'.openmpi' using 1:2:3:4 with yerrorlines ls 3 title 'Open MPI', \
	     data.'/'.p.'.mpich' using 1:2:3:4 with yerrorlines ls 2 title 'MPICH', \
	     data.'/'.p.'.snoo' using 1:2:3:4 with yerrorlines ls 1 title 'SNOO'
	unset label 1
	unset label 2
}
unset multiplot
