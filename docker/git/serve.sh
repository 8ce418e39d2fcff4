#!/bin/sh
# Makes the server's key, a reader's key and an empty repository on the first start, then serves.
#
# /keys/server     the server's own: host key, who may come in
# /keys/reader     for the hub: the private key that reads, and the line that proves the server (known_hosts)
set -eu
umask 077

SERVER=${OUTRIDER_GIT_SERVER_KEYS:-/keys/server}
READER=${OUTRIDER_GIT_READER_KEYS:-/keys/reader}
REPOSITORIES=${OUTRIDER_GIT_REPOSITORIES:-/srv/git}

[ -s "$SERVER/host_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C outrider-git -f "$SERVER/host_ed25519"
[ -s "$READER/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C outrider-reader -f "$READER/id_ed25519"

# The hub reads: it can't push, whatever it is tricked into.
printf 'restrict,command="outrider-git-read %s" %s\n' "$REPOSITORIES" "$(cat "$READER/id_ed25519.pub")" > "$SERVER/authorized_keys"
printf '[git]:2222 %s\n' "$(cut -d' ' -f1,2 "$SERVER/host_ed25519.pub")" > "$READER/known_hosts"

[ -d "$REPOSITORIES/apps.git" ] || git init -q --bare --initial-branch=main "$REPOSITORIES/apps.git"

exec /usr/sbin/sshd -D -e -f "${OUTRIDER_GIT_SSHD_CONFIG:-/etc/outrider-git/sshd_config}"
