# SPDX-License-Identifier: MIT
# ucx.sh - UCX's own benchmark, ucx_perftest, as one more peer
# shellcheck shell=bash disable=SC2034
#
#   ucx_find                 is it installed?  0 or 1; says so in UCX_WHY
#   ucx_choose               find its best transports by measurement
#   ucx_run lat|bw MS SIZE...
#                            JSON lines as of our own programs
#   ucx_setting              how it is set, or why it is not there
#
# It is no MPI: tag matching alone, without communicators, process manager and
# datatypes, so it is the fastest of the peers for small messages.  Its two
# processes meet over TCP on the loopback and are pinned by taskset.
#
# Needs lib.sh.

UCX_WHY=
UCX_LAT=
UCX_BW=
UCX_CANDIDATES=(posix,cma,self sysv,cma,self posix,self)
UCX_REPS=3		# of each size, of which the median counts
declare -A UCX_SLOW=([lat]=1 [bw]=1)

ucx_find() {
	command -v ucx_perftest >/dev/null ||
		UCX_WHY="ucx_perftest is not installed (Debian: ucx-utils)"
	[[ -n $UCX_WHY ]] || command -v taskset >/dev/null ||
		UCX_WHY="taskset is not installed (Debian: util-linux)"
	[[ -z $UCX_WHY ]]
}

ucx_version() {
	ucx_info -v 2>/dev/null |
		sed -n 's/^# *\(Library version\|Version\|UCT version=\)[: ]*\([0-9.]*\).*/\2/p' |
		head -n 1
}

ucx_setting() {
	if [[ -n $UCX_WHY ]]; then
		printf 'skipped: %s\n' "$UCX_WHY"
		return
	fi
	if [[ -z $UCX_LAT ]]; then
		printf 'ucx_perftest %s\n' "$(ucx_version)"
		return
	fi
	printf 'ucx_perftest %s, pinned by taskset, UCX_TLS=%s for latency, %s for bandwidth (the fastest of %s)\n' \
		"$(ucx_version)" "$UCX_LAT" "$UCX_BW" "${UCX_CANDIDATES[*]}"
}

ucx_listens() {
	grep -qi ":$(printf %04X "$1") 0*:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# ucx_pair TRANSPORTS BATCH: what the client prints.  The server needs the batch
# as well: the client tells it about one test alone.
ucx_pair() {
	local tls=$1 batch=$2 port server core try status
	mapfile -t core < <(first_cores 2)
	for try in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 12000))
		ucx_listens "$port" && continue
		UCX_TLS=$tls UCX_WARN_UNUSED_ENV_VARS=n timeout -k 5 "$LIMIT" \
			taskset -c "${core[0]}" ucx_perftest -p "$port" -b "$batch" \
			>"$BENCH_TMP/ucx.server" 2>&1 &
		server=$!
		bench_started "$server"
		until ucx_listens "$port" || ! kill -0 "$server" 2>/dev/null; do
			sleep 0.01
		done
		# Another one may have taken the port.
		kill -0 "$server" 2>/dev/null && break
		wait "$server" 2>/dev/null
		bench_ended "$server"
		server=
	done
	[[ -n $server ]] || {
		cat "$BENCH_TMP/ucx.server" >&2
		return 1
	}
	UCX_TLS=$tls UCX_WARN_UNUSED_ENV_VARS=n timeout -k 5 "$LIMIT" \
		taskset -c "${core[1]:-${core[0]}}" \
		ucx_perftest 127.0.0.1 -p "$port" -b "$batch" -f -v
	status=$?
	((status == 0)) || kill "$server" 2>/dev/null
	wait "$server" 2>/dev/null
	bench_ended "$server"
	return "$status"
}

# A guess in nanoseconds, and how many times as long it took when the transports
# were chosen: iterations have to be told before.
ucx_guess() {
	local small=200
	[[ $1 == bw ]] && small=100
	echo $(((small + $2 / 8) * UCX_SLOW[$1]))
}

# ucx_batch lat|bw MS BYTES...: so many iterations that each size takes about MS.
ucx_batch() {
	local kind=$1 ms=$2 bytes n i
	shift 2
	for bytes; do
		n=$((ms * 1000000 / UCX_REPS / $(ucx_guess "$kind" "$bytes")))
		((n < 50)) && n=50
		for ((i = 0; i < UCX_REPS; i++)); do
			printf '%s.%d -t tag_%s -s %d -n %d -w %d%s\n' "$kind" \
				"$bytes" "$kind" "$bytes" "$n" $((n / 10 + 1)) \
				"$([[ $kind == bw ]] && printf ' -O 64')"
		done
	done
}

ucx_with() {
	local tls=$1 kind=$2 ms=$3 size bytes=()
	shift 3
	for size; do bytes+=("$(numfmt --from=iec "$size")"); done
	ucx_batch "$kind" "$ms" "${bytes[@]}" >"$BENCH_TMP/ucx.batch"
	ucx_pair "$tls" "$BENCH_TMP/ucx.batch" >"$BENCH_TMP/ucx.csv" || return
	awk -f "$TOP/bench/ucx.awk" "$BENCH_TMP/ucx.csv"
}

ucx_run() {
	local tls=$UCX_LAT
	[[ $1 == bw ]] && tls=$UCX_BW
	ucx_with "$tls" "$@"
}

# The geometric mean over three sizes decides, for either test by itself.
# Columns: kind, sum of logarithms, transports, time of 8 bytes one way.
ucx_choose() {
	local tls kind ns
	# No pipes: in a subshell bench_started() would tell nobody.
	for tls in "${UCX_CANDIDATES[@]}"; do
		for kind in lat bw; do
			ucx_with "$tls" "$kind" 5 8 64K 1M >"$BENCH_TMP/ucx.json" \
				2>"$BENCH_TMP/ucx.err" || continue
			jq -rs --arg k "$kind" --arg t "$tls" 'select(length == 3)
				| "\($k) \(map(.ns | log) | add) \($t) \(.[0].ns / (if $k == "lat" then 2 else 1 end) | floor)"' \
				"$BENCH_TMP/ucx.json"
		done
	done >"$BENCH_TMP/ucx.choice"
	sort -g -k 2 -o "$BENCH_TMP/ucx.choice" "$BENCH_TMP/ucx.choice"
	for kind in lat bw; do
		read -r _ _ tls ns < <(grep "^$kind " "$BENCH_TMP/ucx.choice") || {
			UCX_WHY="ucx_perftest failed: $(tail -n 1 "$BENCH_TMP/ucx.err")"
			return 1
		}
		[[ $kind == lat ]] && UCX_LAT=$tls || UCX_BW=$tls
		ns=$((ns / $(ucx_guess "$kind" 8)))
		UCX_SLOW[$kind]=$((ns > 1 ? ns : 1))
	done
}
