#!/usr/bin/env bash
# Builds the workspace image where no registry can be reached: debootstrap makes the base from the Debian (or Ubuntu) packages of
# this machine's own mirror, and docker/workspace.Dockerfile does the rest. A second call finds the image and ends at once.
#
#   docker/build-workspace-image.sh                 needs root, debootstrap and an engine that answers
#   docker/build-workspace-image.sh --base IMAGE    from an image that the engine has or can pull; no root, no debootstrap
#
# ISE_DOCKER_IMAGE names the image (default ise-workspace:latest); DOCKER_HOST the engine, as for docker itself.
set -euo pipefail
cd "$(dirname "$0")/.."
export DOCKER_BUILDKIT=0 # Debian's docker.io brings no buildx
image=${ISE_DOCKER_IMAGE:-ise-workspace:latest} base=

die() { printf '%s\n' "build-workspace-image: $*" >&2; exit 1; }

while [ $# -gt 0 ]; do
    case $1 in
    --base) base=${2:?--base needs the name of an image} && shift 2 ;;
    *) die "unknown argument $1; see the head of $0" ;;
    esac
done
docker version >/dev/null 2>&1 || die "no Docker engine answers. Start one (sudo systemctl start docker), or set DOCKER_HOST."

sources=(docker/workspace.Dockerfile docker/workspace-packages.txt docker/build-workspace-image.sh)
key=$({ cat "${sources[@]}"; echo "$base"; } | sha256sum | cut -c1-40)
if [ "$(docker image inspect -f '{{index .Config.Labels "ise.built-from"}}' "$image" 2>/dev/null)" = "$key" ]; then
    echo "$image is up to date"
    exit 0
fi

# mirror SUITE: where this machine gets its packages from: the first http(s) source of its distribution
mirror() {
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -nE 's/^deb (\[[^]]*\] )?(https?:[^ ]+) '"$1"' .*/\2/p'
      sed -nE 's/^URIs: *(https?:[^ ]+).*/\1/p' /etc/apt/sources.list.d/{debian,ubuntu}.sources 2>/dev/null; } | head -n 1
}

# import_base: prints the name of an image made by debootstrap
import_base() {
    [ "$(id -u)" = 0 ] || die "debootstrap needs root: sudo $0, or give a base: $0 --base debian:bookworm-slim"
    command -v debootstrap >/dev/null || die "debootstrap is missing: sudo apt-get install debootstrap"
    local suite packages root url
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:?}")
    url=$(mirror "$suite")
    packages=$(grep -v '^#' docker/workspace-packages.txt | paste -sd,)
    root=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "umount -l '$root' 2>/dev/null; rm -rf --one-file-system '$root'" EXIT
    mount -t tmpfs -o size=2g,mode=0755 none "$root" || true # dpkg syncs every file: minutes on a disk
    debootstrap --variant=minbase --include="$packages" "$suite" "$root" "${url:-http://deb.debian.org/debian}" >&2
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/debootstrap
    rm -rf "$root"/usr/share/{doc,man,info}/* "$root"/dev/* "$root"/proc/* "$root"/sys/*
    tar -C "$root" --numeric-owner -c . | docker import - "ise-workspace-base:$suite" >&2
    echo "ise-workspace-base:$suite"
}

began=$SECONDS
[ -n "$base" ] || base=$(import_base)
tar -c docker/workspace.Dockerfile docker/workspace-packages.txt |
    docker build --force-rm --build-arg "BASE=$base" --label "ise.built-from=$key" -f docker/workspace.Dockerfile -t "$image" -
echo "$image built from $base in $((SECONDS - began)) s"
