#!/usr/bin/env bash
# demo.sh: immudoc on real data, from an empty folder to an auditor who holds one
# file. Every command is shown before it runs; the first failure ends the demo.
# Works in a temporary folder of its own and leaves nothing behind.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
bin=$root/bin
work=$(mktemp -d)
server=

finish() {
	local rc=$?
	[ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
	[ "$rc" = 0 ] || { echo "demo failed (exit $rc); the server's last words:" && tail -n 20 "$work/immudb.log"; } >&2 || true
	rm -rf "$work"
	exit "$rc"
}
trap finish EXIT

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
# doc ARGS...: immuclient doc, shown and run; $out keeps all of what it prints,
# the terminal gets the start of long lines.
out=$work/out
narrow() { sed -E 's/^(.{150}).{10,}/\1 …/'; }
doc() {
	printf '$ immuclient doc'
	printf ' %q' "$@"
	echo
	"$bin/immuclient" doc "$@" --immudb-port "$port" --username immudb --password immudb | tee "$out" | narrow
}
# refused CHECK FILE FLAGS...: verify must refuse the file and name the check.
refused() {
	local check=$1 rc=0
	shift
	printf '$ immuclient doc verify'
	printf ' %q' "$@"
	echo
	"$bin/immuclient" doc verify "$@" >"$out" 2>&1 || rc=$?
	cat "$out"
	if [ "$rc" != 2 ] || ! grep -q "$check" "$out"; then
		echo "expected exit code 2 and the check \"$check\", got $rc" >&2
		exit 1
	fi
}
free_port() {
	local p
	for p in $(shuf -i 20000-29999 -n 50); do
		if ! (echo >"/dev/tcp/127.0.0.1/$p") 2>/dev/null; then
			echo "$p"
			return
		fi
	done
	echo 'no free port' >&2
	return 1
}
start_server() {
	"$bin/immudb" --dir "$work/data" --port "$port" --address 127.0.0.1 \
		--metrics-server=false --web-server=false --pgsql-server=false >>"$work/immudb.log" 2>&1 &
	server=$!
	for _ in $(seq 300); do
		if (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
		kill -0 "$server" 2>/dev/null || { echo 'immudb ended' >&2 && return 1; }
		sleep 0.1
	done
	echo 'immudb does not answer' >&2
	return 1
}

step 'Real data: the evidence of this build, and the countries of the world'
countries=yes
"$root/hack/datasets.sh" "$root/build/datasets" || countries=no
cp "$root"/build/datasets/*.ndjson "$work"
cd "$work" # immudb's clients keep the trusted state in the current folder

step 'A patched immudb starts'
port=$(free_port)
start_server
"$bin/immudb" version
echo "listening on 127.0.0.1:$port, process $server"

step 'Documents go in'
doc collection create modules
doc import modules modules.ndjson
doc collection create checksums --append-only
doc import checksums checksums.ndjson
if [ "$countries" = yes ]; then
	doc collection create countries
	doc import countries countries.ndjson
fi
doc collection list
doc count modules
[ "$(cat "$out")" = "$(wc -l <modules.ndjson)" ]

step 'They come back, looked up by checksum'
module=github.com/codenotary/immudb@v1.11.1
checksum=$(grep -F "\"_id\":\"$module\"" modules.ndjson | sed 's/.*"module":"\(h1:[^"]*\)".*/\1/')
doc get checksums "$checksum"
grep -qF "$module" "$out"
doc get modules "$module" -o json

step 'They change, and nothing is forgotten'
doc update modules "$module" '{"review":{"by":"auditor","verdict":"accepted","score":9.50}}' --if-revision 1
doc update modules "$module" '{"review":{"verdict":"rejected","score":3}}'
if doc update modules "$module" '{"review":null}' --if-revision 1; then exit 1; fi
echo '(refused, as it should be: revision 2 is not the newest any more)'
doc history modules "$module" -o json
doc get modules "$module" --revision 2 -o json
grep -q '"review":{"by":"auditor","score":9.5,"verdict":"accepted"}' "$out"

step 'One property of one revision is proved, and one is shown to be absent'
doc prove modules "$module" --revision 2 --property /review/verdict --property /sums/module --absent /vulnerabilities --out verdict.immudoc.json --state-out state.json
printf 'evidence file: %s bytes; the document itself: %s bytes\n' "$(wc -c <verdict.immudoc.json)" "$(grep -F "\"_id\":\"$module\"" modules.ndjson | wc -c)"
! grep -q 'score' verdict.immudoc.json
echo '(the score is not in it)'
if [ "$countries" = yes ]; then
	doc prove countries AD --property /subdivisions/6/name --out capital.immudoc.json
fi
doc delete modules "$(head -n 1 modules.ndjson | sed 's/{"_id":"\([^"]*\)".*/\1/')"

step 'The server is killed and comes back: nothing acknowledged is lost'
kill -KILL "$server"
wait "$server" 2>/dev/null || true
start_server
doc count modules
[ "$(cat "$out")" = "$(($(wc -l <modules.ndjson) - 1))" ]
doc get modules "$module" --meta -o json
grep -q '"review":{"by":"auditor","score":3,"verdict":"rejected"}' "$out"

step 'An auditor with nothing but the file and a trusted state'
kill "$server" && wait "$server" 2>/dev/null || true
server=
mkdir auditor
mv ./*.immudoc.json state.json auditor
rm -f .state-* .identity-*
cd auditor
echo 'The server is stopped. The auditor was told this state by somebody else:'
cat state.json
verify=(verdict.immudoc.json --state state.json --database defaultdb --collection modules --id "$module" --revision 2
	--property /review/verdict --property /sums/module --absent /vulnerabilities)
printf '$ immuclient doc verify'
printf ' %q' "${verify[@]}"
echo
"$bin/immuclient" doc verify "${verify[@]}"

step 'Tampering is noticed'
echo '-- one byte of the evidence is changed:'
digit=$(grep -bo '"entry": "' verdict.immudoc.json | head -n 1 | cut -d: -f1)
cp verdict.immudoc.json forged.immudoc.json
at=$((digit + 30))
old=$(dd if=forged.immudoc.json bs=1 skip=$at count=1 2>/dev/null)
new=A
[ "$old" != A ] || new=B
printf %s "$new" | dd of=forged.immudoc.json bs=1 seek=$at conv=notrunc 2>/dev/null
refused 'manifest slot\|entry inclusion' forged.immudoc.json "${verify[@]:1}"
echo '-- what the file shows to people is rewritten:'
sed 's/"accepted"/"rejected"/' verdict.immudoc.json >forged.immudoc.json
refused 'evidence file' forged.immudoc.json "${verify[@]:1}"
echo '-- a genuine proof, but of another collection than the auditor asked about:'
refused 'claim: collection' verdict.immudoc.json --state state.json --collection checksums
echo '-- a genuine proof, but of another revision:'
refused 'claim: revision' verdict.immudoc.json --state state.json --collection modules --revision 3

step 'Done: all of the above was verified by code that never trusted the server'
