#!/usr/bin/env bash
# Builds the service image where no registry can be reached: the base by debootstrap from this machine's own Debian mirror, the
# Python packages as wheels by this machine's own pip. A second call finds the image and ends at once.
#
#   docker/build-service-image.sh                 needs root, debootstrap, an engine that answers and .venv (make setup)
#   docker/build-service-image.sh --base IMAGE    from an image that the engine has or can pull
set -euo pipefail
cd "$(dirname "$0")/.."
export DOCKER_BUILDKIT=0 # Debian's docker.io brings no buildx
image=${ISE_SERVICE_IMAGE:-ise-service:latest} base=
die() { printf '%s\n' "build-service-image: $*" >&2; exit 1; }
[ "${1:-}" != --base ] || base=${2:?--base needs the name of an image}
docker version >/dev/null 2>&1 || die "no Docker engine answers. Start one (sudo systemctl start docker), or set DOCKER_HOST."

sources() { git ls-files -z pyproject.toml constraints.txt sql ise_assets docker | xargs -0 cat; }
key=$({ sources; echo "$base"; } | sha256sum | cut -c1-40)
if [ "$(docker image inspect -f '{{index .Config.Labels "ise.built-from"}}' "$image" 2>/dev/null)" = "$key" ]; then
    echo "$image is up to date"
    exit 0
fi
began=$SECONDS
if [ -z "$base" ]; then
    . docker/debootstrap.sh
    base=$(import_base ise-service-base python3,python3-venv,docker.io,ca-certificates)
fi
# pip's own cache is what makes the second time quick
rm -f docker/wheels/*.whl
.venv/bin/python -m pip wheel -q --disable-pip-version-check -w docker/wheels -c constraints.txt '.[lake,deploy]'
rm -f docker/wheels/ise_assets-*.whl
tar -c --exclude=__pycache__ docker/service.Dockerfile docker/dagster.yaml docker/workspace.yaml docker/wheels \
    pyproject.toml constraints.txt sql ise_assets |
    docker build --force-rm --build-arg "BASE=$base" --label "ise.built-from=$key" -f docker/service.Dockerfile -t "$image" -
echo "$image built from $base in $((SECONDS - began)) s"
