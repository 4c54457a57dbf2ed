#!/usr/bin/env bash
# Tries a Debian package as a new user would: installs it in a root of its own, publishes and subscribes, completes a
# word, reads a manual page, purges the package and looks for what it left. For root, as it needs chroot; debootstrap
# makes the root, from MIRROR if that is given:
#     sudo packaging/try-deb.sh target/debian/mqtt_0.1.0-1_amd64.deb [MIRROR]
set -euo pipefail

package="${1:?the package is missing: packaging/try-deb.sh FILE [MIRROR]}"
readonly suite=bookworm

root=$(mktemp -d)
end() {
    ! mountpoint --quiet "$root/proc" || umount "$root/proc"
    rm -rf "$root"
}
trap end EXIT

fail() {
    echo "$0: $*" >&2
    exit 1
}

in_root() {
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

# Shows what the command prints only if it fails.
quietly() {
    local printed
    printed=$("$@" 2>&1) || fail "$* failed: $printed"
}

# `expect TEXT COMMAND…`: it succeeds and prints the text.
expect() {
    local text="$1" printed
    shift
    printed=$(in_root "$@" 2>&1) || fail "$* failed: $printed"
    case "$printed" in
        *"$text"*) echo "ok: $*" ;;
        *) fail "$* printed '$printed', not '$text'" ;;
    esac
}

# All files but the states and caches of apt, dpkg and man, which every package changes.
files() {
    (cd "$root" && find . -path ./proc -prune -o -path ./var/lib/dpkg -prune -o -path ./var/lib/apt -prune \
        -o -path ./var/cache -prune -o -path ./var/log -prune -o -path ./tmp -prune -o -print | sort)
}

quietly debootstrap --variant=minbase --include=bash-completion,ca-certificates,man-db "$suite" "$root" ${2:+"$2"}
# man reads pages as another user, and a shell's <(…) needs /dev/fd.
chmod 755 "$root"
mountpoint --quiet "$root/proc" || mount -t proc proc "$root/proc"
[ -e "$root/dev/fd" ] || ln -s /proc/self/fd "$root/dev/fd"
before=$(files)
cp "$package" "$root/tmp/mqtt.deb"

quietly in_root apt-get install --yes --no-install-recommends /tmp/mqtt.deb
expect "mqtt " mqtt --version
# shellcheck disable=SC2016 # the shell in the root expands it
expect "a/b hello" mqtt broker -p 0 --quiet -- sh -c 'mqtt pub -r -t a/b -m hello && mqtt sub -t "a/#" -C 1 -v'
expect "mqtt pub [OPTIONS]" mqtt pub --help
expect "EXAMPLES" man --pager=cat mqtt-pub
# shellcheck disable=SC2016 # the shell in the root expands it
expect "retain-clear" bash -c '. /usr/share/bash-completion/bash_completion
    _completion_loader mqtt || true
    COMP_WORDS=(mqtt ret) COMP_CWORD=1 COMP_LINE="mqtt ret" COMP_POINT=8
    "$(complete -p mqtt | sed "s/.*-F \([^ ]*\).*/\1/")" mqtt ret mqtt
    echo "${COMPREPLY[@]}"'

quietly in_root apt-get purge --yes mqtt
left=$(diff <(echo "$before") <(files)) || fail "the package left: $left"
echo "ok: purged, and nothing is left"
