# SPDX-License-Identifier: MIT
# growth.gp - draw what a job costs as it grows; plot.sh sets the variables
#
# data: file with ranks, attach ms, pool KiB a rank, rings KiB a rank, private
# KiB, known source, any source, all to one (ns), barrier us; head, where: texts

set logscale x 2
set logscale y 10
set xrange [1.7:300]
set xtics (2, 4, 8, 16, 32, 64, 128, 256)
set border 3 lc rgb '#555555'
set format y '%g'
set grid ytics lc rgb '#e4e4e4' lt 1 lw 1
set tics nomirror out
set style data linespoints
set style line 1 lc rgb '#c8321e' lw 2.5 pt 7 ps 0.7
set style line 2 lc rgb '#1f5fa8' lw 2.5 pt 5 ps 0.6
set style line 3 lc rgb '#2e8b57' lw 2.5 pt 9 ps 0.7
set key top left Left reverse samplen 2 font ',10'
set multiplot layout 2, 2 margins 0.08, 0.98, 0.09, 0.84 spacing 0.09, 0.12
set label 1 head at screen 0.08, 0.955 font ',15'
set label 2 where at screen 0.08, 0.915 font ',10' tc rgb '#666666'

set title 'attach, ms' font ',11' offset 0, -0.6
plot data using 1:2 ls 1 title 'the whole job', \
     data using 1:($2 / $1) ls 2 title 'of it for each rank'
unset label 1
unset label 2
set title 'memory of a rank, KiB'
plot data using 1:3 ls 1 title 'in the pool', data using 1:4 ls 2 title 'of it rings', \
     data using 1:5 ls 3 title 'private, rank 0'
set xlabel 'ranks' offset 0, 0.5
set title 'a message, ns'
plot data using 1:6 ls 1 title 'from a known source', \
     data using 1:7 ls 2 title 'from any source, others asleep', \
     data using 1:8 ls 3 title 'all to one, from any source'
set title 'barrier, us'
plot data using 1:9 ls 1 notitle
unset multiplot
