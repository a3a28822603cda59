#!/usr/bin/env bash
# Installs the programs that the tests want, where that is possible: Debian, and the right to do it.
# Elsewhere it says what is missing; the tests that want it are then skipped by name, or fail where CI is set.
set -euo pipefail

has() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]; }

wanted=()
has node || wanted+=(nodejs npm)
has curl || wanted+=(curl)
has slapd || wanted+=(slapd)
has ldapsearch || wanted+=(ldap-utils)
has openssl || wanted+=(openssl)
has xmlsec1 || wanted+=(xmlsec1)
if ! has samba-tool || [ ! -d /usr/share/samba/setup ]; then # a domain controller, which is more than a file server
    wanted+=(samba samba-dsdb-modules samba-vfs-modules samba-ad-provision python3-samba)
fi
has chromium || has chromium-browser || has google-chrome || wanted+=(chromium)
[ ${#wanted[@]} -eq 0 ] && exit 0

if [ "$(id -u)" != 0 ] || ! has apt-get; then
    echo "not installed here, and wanted by some tests: ${wanted[*]}"
    exit 0
fi

# Debian asks this program whether a package may start its service: none may.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q && apt-get install -q -y --no-install-recommends "${wanted[@]}" ||
    { [ -z "${CI:-}" ] && echo "could not be installed: ${wanted[*]}"; }
