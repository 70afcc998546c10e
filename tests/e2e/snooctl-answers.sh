#!/bin/bash
# SPDX-License-Identifier: MIT
# snooctl-answers.sh - every kind of answer that a daemon, or a liar, may give
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh

BIN=${BIN:-build/bin}
[[ -x $BIN/snooctl ]] || skip_all "snooctl is not built"
command -v jq >/dev/null || skip_all "jq is not installed"
command -v python3 >/dev/null || skip_all "python3, which plays the daemon, is not installed"
unset SNOO_ADMIN XDG_RUNTIME_DIR
dir=$(mktemp -d)
sock=$dir/admin.sock

# A daemon that gives fixed answers; some verbs misbehave.
cat >"$dir/fake.py" <<'PY'
import json, os, socket, sys

RESULT = {
    "status": {"role": "host", "uptime_s": 60, "warnings": ["no huge pages"],
               "registers": {"mode": "lines", "line_ns": 56},
               "domains": [{"domain": "default", "pool_bytes": 67108864}]},
    "ranks": [
        {"extra": True, "rank": 0, "job": "a\x1b[2J\nb", "pid": 1234,
         "run_waited_ns": 1500000000, "counters": {"sent": 5}},
        {"rank": 11, "job": "b\u00e4\"k", "pid": 7, "counters": {"sent": 6}}],
    "jobs": [],
    "wrapped": {"rows": [{"x": 1}]},
    "text": "one\ntwo\x1b[1m\n",
    "version": {"version": "9.9"},
    "help": [{"verb": "why", "args": [{"name": "rank"}, {"name": "job"}],
              "help": "what a rank waits for"}],
    "config": {"a": {"b": 1}},
    "deep": {"a": {"b": {"c": [1, 2, 3]}}},
    "long": [{"x": "y" * 200000}],
    "null": None,
}
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(8)
print("ready", flush=True)
while True:
    c, _ = s.accept()
    f = c.makefile("rw")
    for line in f:
        q = json.loads(line)
        cmd = q["cmd"]
        out = {"id": q["id"], "ok": True}
        if cmd == "hang":
            continue
        if cmd == "bye":
            break
        if cmd == "junk":
            f.write("HTTP/1.1 400\n")
            f.flush()
            continue
        if cmd == "half":
            f.write('{"id":1,"ok"')
            f.flush()
            break
        if cmd == "endless":
            try:
                while True:
                    f.write("x" * 65536)
            except OSError:
                break
        if cmd == "late":
            f.write('{"id":77,"ok":true,"result":"of an earlier question"}\n')
            out["result"] = "mine"
        elif cmd in ("why", "echo"):
            out["result"] = q.get("args")
        elif cmd == "args":
            out["result"] = sorted(q)
        elif cmd in RESULT:
            out["result"] = RESULT[cmd]
        else:
            out = {"id": q["id"], "ok": False, "error": {
                "code": "ENOENT", "message": "no verb " + cmd + "\x1b[1m"}}
        f.write(json.dumps(out) + "\n")
        f.flush()
    try:
        f.close()
    except OSError:
        pass
    c.close()
PY
coproc FAKE { exec python3 "$dir/fake.py" "$sock"; }
fake=$!
trap 'kill "$fake" 2>/dev/null; rm -rf "$dir"' EXIT
read -r -u "${FAKE[0]}" _

ask() {
	"$BIN/snooctl" --socket "$sock" "$@" 2>&1
}
rc() {
	"$BIN/snooctl" "$@" >/dev/null 2>&1
	echo $?
}

# ---- for people
is "an object is a list of names, then what it holds" "$(ask status)" \
"role      host
uptime    60 s
warnings  no huge pages
registers:
  mode  lines
  line  56 ns
domains:
  DOMAIN     POOL
  default  64 MiB"
is "an array of objects is a table; a name can't command the terminal" "$(ask ranks)" \
"JOB      RANK   PID  RUN WAITED
a?[2J?b     0  1234       1.5 s
bä\"k       11     7           -"
is "--all shows every column" "$(ask --all ranks)" \
"JOB      RANK   PID  RUN WAITED  EXTRA  COUNTERS
a?[2J?b     0  1234       1.5 s  yes    {\"sent\":5}
bä\"k       11     7           -  -      {\"sent\":6}"
is "a table alone in an object is the table" "$(ask wrapped)" $'X\n1'
is "nothing is none" "$(ask jobs)" none
is "text keeps its lines and loses its commands" "$(ask text)" $'one\ntwo?[1m'
like "the configuration is JSON to copy from" "$(ask config | jq -c . 2>&1)" '^\{"a":\{"b":1\}\}$'
is "depth is indented" "$(ask deep)" $'a:\n  b:\n    c  1, 2, 3'
is "null is a dash" "$(ask null)" -
like "a wide cell is cut" "$(ask long)" '^X'
like "version tells both" "$(ask version | tr '\n' ' ')" '^snooctl [0-9.]+ version +9.9 $'

# ---- for programs
is "--json is the result on one line" "$(ask --json deep)" '{"a":{"b":{"c":[1,2,3]}}}'
is "it escapes what a terminal obeys" "$(ask --json ranks | grep -c $'\033')" 0
is "options may stand behind the verb" "$(ask jobs --json)" '[]'
is "a large answer arrives whole" "$(ask --json long | wc -c)" $((200000 + 11))

# ---- metrics
metrics=$(ask metrics)
like "numbers of a row with its labels" "$metrics" 'snoo_rank_sent\{job="a.\[2J\\nb",rank="0"\} 5'
like "labels are escaped" "$metrics" 'snoo_rank_sent\{job="bä\\"k",rank="11"\} 6'
like "times are in seconds" "$metrics" 'snoo_rank_run_waited_seconds\{[^}]*rank="0"\} 1\.5'
like "the registers have a name of their own" "$metrics" 'snoo_registers_line_seconds 5\.6e-08'
fails "and are there once" grep -q "^snoo_line_seconds" <<<"$metrics"
is "samples of one name stand together, with one type" \
	"$(sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' <<<"$metrics" | sort | uniq -d)" ""
is "a pid is no amount" "$(grep -c pid <<<"$metrics")" 0

# ---- arguments
is "words go to the arguments in their order" "$(ask --json why 3 solver)" '{"rank":3,"job":"solver"}'
is "name=value" "$(ask --json echo a=1 b=x c='{"d":[true]}')" '{"a":1,"b":"x","c":{"d":[true]}}'
is "no word, no args" "$(ask --json args)" '["cmd","id"]'
like "one word too many" "$(ask why 1 2 3)" 'why takes 2 arguments, "3" is one too many'
is "is usage" "$(rc -s "$sock" why 1 2 3)" 2
like "a word for an unknown verb" "$(ask frob 1)" 'no verb "frob"'

# ---- the daemon says no
is "exit code 1" "$(rc -s "$sock" frob)" 1
is "its message and code, made harmless" "$(ask frob)" "snooctl: no verb frob?[1m (ENOENT)"
like "--json prints the answer as well" "$("$BIN/snooctl" -s "$sock" --json frob 2>/dev/null)" '"code":"ENOENT"'

# ---- no daemon, no answer
is "an answer to an earlier question is passed over" "$(ask late)" mine
is "no answer in time" "$(rc -s "$sock" -t 0.05 hang)" 3
like "says how long it waited" "$(ask -t 0.05 hang)" 'no answer to "hang" .* within 0.050 s'
is "hung up" "$(rc -s "$sock" bye)" 3
is "hung up half-way" "$(rc -s "$sock" half)" 3
is "no JSON" "$(rc -s "$sock" junk)" 3
like "says that this is no daemon" "$(ask junk)" "no snoo-daemon's admin socket"
is "an answer without an end" "$(rc -s "$sock" -t 60 endless)" 3
is "no socket there" "$(rc -s "$dir/none" status)" 3
like "says which and what to do" "$("$BIN/snooctl" -s "$dir/none" status 2>&1)" "at $dir/none: No such file.*--socket"
is "a path too long" "$(rc -s "/$(printf 'x%.0s' {1..120})" status)" 3

# ---- finding it
is "--runtime-dir" "$("$BIN/snooctl" -r "$dir" jobs)" none
# shellcheck disable=SC2097,SC2098
is "\$SNOO_ADMIN" "$(SNOO_ADMIN=$sock "$BIN/snooctl" jobs)" none
mkdir "$dir/snoo"
ln -s "$sock" "$dir/snoo/admin.sock"
is "\$XDG_RUNTIME_DIR" "$(XDG_RUNTIME_DIR=$dir "$BIN/snooctl" jobs)" none

# ---- usage
for bad in "" "--bogus status" "-t 0 status" "-t x status" "-e -1 status" \
	   "-s a -r b status"; do
	# shellcheck disable=SC2086
	is "usage: $bad" "$(rc $bad)" 2
done
is "help needs no daemon" "$(rc --help)" 0
is "a full disk is a failure" "$("$BIN/snooctl" -s "$sock" status 2>/dev/null >/dev/full; echo $?)" 1

# ---- repeating
out=$("$BIN/snooctl" -s "$sock" -e 0.01 version | head -n 40 | sort | uniq -c | wc -l)
ok "--every goes on until nobody reads" test "$out" -ge 1

# ---- config check
if [[ -x $BIN/snoo-daemon ]]; then
	is "a good file" "$(rc config check config/snoo.json)" 0
	echo '{"role": "nobody"}' >"$dir/bad.json"
	is "a bad file" "$(rc config check "$dir/bad.json")" 2
	like "is shown with its place" "$("$BIN/snooctl" config check "$dir/bad.json" 2>&1)" "bad.json:1:10: role: "
else
	skip "config check" "snoo-daemon is not built"
fi
done_testing
