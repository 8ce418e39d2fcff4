#!/bin/sh
# All that a reader's key can do: git-upload-pack in one repository of the folder that is the first argument.
set -eu

refuse() {
    echo "outrider-git: this key reads repositories, as ssh://git@HOST:2222/NAME.git, and does nothing else" >&2
    exit 1
}

asked=${SSH_ORIGINAL_COMMAND-}
case $asked in
    "git-upload-pack '/"*".git'") ;;
    *) refuse ;;
esac
name=${asked#"git-upload-pack '/"}
name=${name%"'"}
# A plain name: no folder above, no option, nothing for a shell.
case $name in
    .* | -* | *[!A-Za-z0-9._-]*) refuse ;;
esac

exec git-upload-pack --strict --timeout=60 "$1/$name"
