#!/usr/bin/env bash
# fuzz.sh DURATION: runs every fuzz target of the module that long, one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
duration=${1:-30s}

git ls-files '*_test.go' | xargs grep -lE '^func Fuzz[A-Z]' | xargs -n1 dirname | sort -u | while read -r package; do
	grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$package"/*_test.go | sed 's/^func //' | while read -r target; do
		echo "== $package $target ($duration)"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$duration" "./$package" </dev/null
	done
done
