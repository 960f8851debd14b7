#!/usr/bin/env bash
# need.sh PROGRAM...: sees to it that the programs are there. On Debian as root it
# installs the package of that name, elsewhere it says what to install, and fails.
set -euo pipefail

for program; do
	command -v "$program" >/dev/null && continue
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "installing $program with apt-get" >&2
		apt-get update -qq >&2
		packages=("$program")
		[ "$program" = gcc ] && packages+=(libc6-dev)
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
	else
		echo "$program is needed here and is not installed; please install it and run this again" >&2
		exit 1
	fi
done
