#!/bin/sh
# Make build/debian-tree: the least Debian that boots, with a broker, for tests that need a whole box.
set -eu
cd "$(dirname "$0")/.."

tree=build/debian-tree suite=bookworm
packages=systemd,dbus,python3,mosquitto,mosquitto-clients

say() { printf 'debian-tree: %s\n' "$*" >&2; }

[ -d "$tree" ] && exit 0
[ "$(id -u)" = 0 ] || { say "note: only root makes one; tests that boot a box are skipped"; exit 0; }
for word in mmdebstrap:mmdebstrap systemd-nspawn:systemd-container; do
    command -v "${word%:*}" >/dev/null 2>&1 && continue
    say "installing ${word#*:} from the distribution"
    { DEBIAN_FRONTEND=noninteractive apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends "${word#*:}"; } >/dev/null || { say "note: none; tests that boot a box are skipped"; exit 0; }
done

mkdir -p build
new=$(mktemp -d build/debian-tree.XXXXXX)
trap 'rm -rf "$new"' EXIT
say "making $tree, half a minute"
mmdebstrap --quiet --variant=minbase --include="$packages" "$suite" "$new" ||
    { say "note: no $suite to be had; tests that boot a box are skipped"; exit 0; }
chmod 755 "$new"
mv -T "$new" "$tree" 2>/dev/null || say "another run made it"
