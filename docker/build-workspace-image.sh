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

sources=(docker/workspace.Dockerfile docker/workspace-packages.txt docker/build-workspace-image.sh docker/debootstrap.sh)
key=$({ cat "${sources[@]}"; echo "$base"; } | sha256sum | cut -c1-40)
if [ "$(docker image inspect -f '{{index .Config.Labels "ise.built-from"}}' "$image" 2>/dev/null)" = "$key" ]; then
    echo "$image is up to date"
    exit 0
fi

. docker/debootstrap.sh
began=$SECONDS
[ -n "$base" ] || base=$(import_base ise-workspace-base "$(grep -v '^#' docker/workspace-packages.txt | paste -sd,)")
tar -c docker/workspace.Dockerfile docker/workspace-packages.txt |
    docker build --force-rm --build-arg "BASE=$base" --label "ise.built-from=$key" -f docker/workspace.Dockerfile -t "$image" -
echo "$image built from $base in $((SECONDS - began)) s"
