# SPDX-License-Identifier: MIT
# vm.gp - draw what vm.sh measured; vm_plot.sh sets the variables
#
# data: folder with latency and bandwidth: label, value, group (0: TCP)
# head, where: texts

set style fill solid 0.85 border rgb '#ffffff'
set boxwidth 0.7
set border 3 lc rgb '#555555'
set grid ytics lc rgb '#e4e4e4' lt 1 lw 1
set tics nomirror out
set xtics rotate by -35 font ',10'
unset key
colour(g) = g == 0 ? 0x1f5fa8 : 0xc8321e
nice(x) = x >= 100 ? sprintf('%.0f', x) : x >= 10 ? sprintf('%.1f', x) : sprintf('%.2f', x)

set multiplot
set label 1 head at screen 0.06, 0.955 font ',15'
set label 2 where at screen 0.06, 0.917 font ',10' tc rgb '#666666'
set logscale y 10
set tmargin at screen 0.83
set bmargin at screen 0.20

set lmargin at screen 0.08
set rmargin at screen 0.48
set title 'one way, 8 bytes, us' font ',12'
set yrange [0.01:*]
plot data.'/latency' using 0:2:(colour($3)):xtic(1) with boxes lc rgb variable, \
     data.'/latency' using 0:2:(nice($2)) with labels offset 0,0.6 font ',9'

unset label 1
unset label 2
set lmargin at screen 0.57
set rmargin at screen 0.98
set title '1 MiB messages, MB/s' font ',12'
set yrange [1:*]
plot data.'/bandwidth' using 0:2:(colour($3)):xtic(1) with boxes lc rgb variable, \
     data.'/bandwidth' using 0:2:(nice($2)) with labels offset 0,0.6 font ',9'
unset multiplot
