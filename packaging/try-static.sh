#!/usr/bin/env bash
# Tries a static binary as packaging/Containerfile uses it: in a root with nothing but the program, as a user without
# rights, with look-ups of names, TLS, WebSockets and the health check. For root, as it needs chroot:
#     sudo packaging/try-static.sh target/x86_64-unknown-linux-musl/release/mqtt
set -euo pipefail

program="${1:?the binary is missing: packaging/try-static.sh FILE}"
readonly nobody=65532

root=$(mktemp -d)
broker=""
end() {
    [ -z "$broker" ] || kill "$broker" 2>/dev/null || true
    rm -rf "$root"
}
trap end EXIT

fail() {
    echo "$0: $*" >&2
    exit 1
}

if readelf --dynamic "$program" | grep -q NEEDED; then
    fail "$program needs libraries: it is not static"
fi

mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/data" "$root/dev"
# Engines of containers make them. The masks of WebSockets need them where the C library is glibc.
mknod -m 666 "$root/dev/random" c 1 8
mknod -m 666 "$root/dev/urandom" c 1 9
cp "$program" "$root/usr/bin/mqtt"
chmod 755 "$root" "$root/usr/bin/mqtt"
chown "$nobody" "$root/data"

in_root() {
    chroot --userspec="$nobody:$nobody" "$root" "$@"
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

expect "mqtt " /usr/bin/mqtt --version

listeners=(--listen mqtt://127.0.0.1:0 --listen mqtts://127.0.0.1:0 --listen ws://127.0.0.1:0 --listen wss://127.0.0.1:0)
exec 3< <(exec chroot --userspec="$nobody:$nobody" "$root" \
    /usr/bin/mqtt broker --quiet "${listeners[@]}" --tls-self-signed /data/ca.pem)
broker=$!
ports=()
for _ in 1 2 3 4; do
    read -r -u 3 -t 30 line || fail "the broker has not started"
    line="${line%/}"
    ports+=("${line##*:}")
done
tcp=${ports[0]} tls=${ports[1]} ws=${ports[2]} wss=${ports[3]}
export MQTT_PORT="$tcp"

export MQTT_HOST=127.0.0.1
expect "" /usr/bin/mqtt pub -r -t a/b -m hello
expect "a/b hello" /usr/bin/mqtt sub -t 'a/#' -C 1 -v
# As HEALTHCHECK has it.
expect "" /usr/bin/mqtt ping --quiet --timeout 3s

# Look-ups, without a library of the system: /etc/hosts, and "localhost" also without it.
expect "connack" /usr/bin/mqtt ping -h localhost -C 1
echo "127.0.0.1 broker.test localhost" > "$root/etc/hosts"
expect "connack" /usr/bin/mqtt ping -h broker.test -C 1
# A module of the system that is not there is passed over.
echo "hosts: files mdns4_minimal resolve dns" > "$root/etc/nsswitch.conf"
expect "connack" /usr/bin/mqtt ping -h broker.test -C 1

expect "connack" /usr/bin/mqtt ping -L "ws://localhost:$ws/mqtt" -C 1
expect "TLS 1.3" /usr/bin/mqtt ping -L "mqtts://localhost:$tls" --cafile /data/ca.pem -C 1
expect "TLS 1.3" /usr/bin/mqtt ping -L "wss://localhost:$wss/mqtt" --cafile /data/ca.pem -C 1
# The authorities of the system, of which the broker's is one now.
cp "$root/data/ca.pem" "$root/etc/ssl/certs/ca-certificates.crt"
expect "TLS 1.3" /usr/bin/mqtt ping -L "mqtts://localhost:$tls" -C 1

kill "$broker"
wait "$broker" || true
broker=""
if in_root /usr/bin/mqtt ping --quiet --timeout 3s 2>/dev/null; then
    fail "the health check succeeds without a broker"
fi
echo "ok: without a broker the health check fails"
