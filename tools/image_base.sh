#!/bin/sh
# Make a base image without a registry: Debian with Python, as localhost/otgate-base, where the image's
# own base is not to be had. Needs root, mmdebstrap and buildah; installs what is missing of them.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'image_base: %s\n' "$*" >&2; }
export BUILDAH_ISOLATION=chroot

[ "$(id -u)" = 0 ] || { say "this needs root"; exit 1; }
for tool in buildah mmdebstrap; do
    command -v "$tool" >/dev/null 2>&1 && continue
    say "installing $tool from the distribution"
    DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$tool" >/dev/null
done
if buildah inspect --type image localhost/otgate-base >/dev/null 2>&1; then
    exit 0
fi
mkdir -p build
tree=build/image-base.tar
if ! [ -s "$tree" ]; then
    say "making a Debian tree; it is kept in $tree"
    mmdebstrap --quiet --format=tar --variant=minbase --include=python3,python3-venv bookworm "$tree.new" ||
        { rm -f "$tree.new"; exit 1; }
    mv "$tree.new" "$tree"
fi
made=$(buildah from scratch)
buildah add --quiet "$made" "$tree" / >/dev/null
# Where downloads go through an inspecting proxy, its authority is among this machine's.
if [ -r "${SSL_CERT_FILE:-}" ]; then
    buildah copy --quiet "$made" "$SSL_CERT_FILE" /etc/ssl/certs/ca-certificates.crt >/dev/null
    for variable in SSL_CERT_FILE PIP_CERT; do
        buildah config --env "$variable=/etc/ssl/certs/ca-certificates.crt" "$made"
    done
fi
buildah commit --quiet --rm "$made" localhost/otgate-base >/dev/null
say "made localhost/otgate-base"
