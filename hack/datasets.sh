#!/usr/bin/env bash
# datasets.sh FOLDER: puts modules.ndjson, checksums.ndjson and countries.ndjson
# into FOLDER.
#
# The countries come from Debian's package iso-codes: the installed one, else the
# package is downloaded and unpacked into FOLDER without installing it. Where that
# is impossible (no apt-get) countries.ndjson is left out, the reason is said, and
# the exit code is 3.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:?usage: datasets.sh FOLDER}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
cd "$root"

for set in modules checksums; do
	[ -s "$folder/$set.ndjson" ] || {
		go run ./hack/dataset "$set" >"$folder/$set.ndjson.new"
		mv "$folder/$set.ndjson.new" "$folder/$set.ndjson"
	}
done
echo "modules.ndjson: $(wc -l <"$folder/modules.ndjson") modules of this project's own build"
echo "checksums.ndjson: $(wc -l <"$folder/checksums.ndjson") hashes of go.sum with references to their modules"

iso=/usr/share/iso-codes/json
[ -e "$iso/iso_3166-1.json" ] || iso=$folder/iso-codes/usr/share/iso-codes/json
if [ ! -e "$iso/iso_3166-1.json" ]; then
	if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
		echo "countries.ndjson: left out: the iso-codes package is not installed and apt-get is not here to fetch it" >&2
		exit 3
	fi
	echo "fetching Debian's iso-codes package (3 MB)" >&2
	mkdir -p "$folder/iso-codes"
	(
		cd "$folder/iso-codes"
		if ! apt-get download -q iso-codes >fetch.log 2>&1; then
			{ apt-get update -q && apt-get download -q iso-codes; } >>fetch.log 2>&1 || true
		fi
		dpkg-deb -x iso-codes_*.deb . 2>>fetch.log || true
	)
	if [ ! -e "$iso/iso_3166-1.json" ]; then
		echo "countries.ndjson: left out: iso-codes could not be fetched (package lists may be missing and only root may update them):" >&2
		tail -n 3 "$folder/iso-codes/fetch.log" >&2
		exit 3
	fi
fi
go run ./hack/dataset countries "$iso" >"$folder/countries.ndjson.new"
mv "$folder/countries.ndjson.new" "$folder/countries.ndjson"
echo "countries.ndjson: $(wc -l <"$folder/countries.ndjson") countries with their subdivisions and currencies"
