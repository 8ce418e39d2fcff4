#!/bin/sh
# Makes a hub's identity once, and hands each service its own part and nothing else. Runs before every start: what is there stays as it is.
#
# The state folder holds every key of the hub and is mounted by this step alone. A part is a volume that one service mounts, read-only.
set -eu
umask 077

STATE=${OUTRIDER_STATE:-/state}
PARTS=${OUTRIDER_PARTS:-/parts}

# hand PART FILE...: copies files of the state folder into a part, each whole or not at all.
hand() {
    part=$PARTS/$1
    shift
    for file in "$@"; do
        target=$part/${file#nats/}
        mkdir -p "$(dirname "$target")"
        cp "$STATE/$file" "$target.new"
        chmod 0400 "$target.new"
        mv -f "$target.new" "$target"
    done
}

# Where edges find the hub. The names stand in the server's certificate; `nats` is its name inside this deployment.
outrider init --state "$STATE" \
    --server "tls://${OUTRIDER_HUB_HOST:-localhost}:${OUTRIDER_NATS_PORT:-4222}" \
    --server "wss://${OUTRIDER_HUB_HOST:-localhost}:${OUTRIDER_WSS_PORT:-8443}" \
    --host "${OUTRIDER_HUB_HOST:-localhost}" --host nats --host localhost --host 127.0.0.1

# The authority's own key stays in the state folder.
hand nats nats/auth.conf nats/tls/authority.pem nats/tls/server.pem nats/tls/server-key.pem
hand registry registry.json credentials/registry.creds
hand renderer renderer.json credentials/renderer.creds
hand aggregator credentials/aggregator.creds
hand person credentials/person.creds
