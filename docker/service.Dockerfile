# The project as a container image: web server, daemon, code server, workspace host, viewer and every run are this one image.
#
#   docker build -f docker/service.Dockerfile -t ise-service .       where registries can be reached
#   docker/build-service-image.sh                                    where none can: from this machine's Debian packages and wheels
#
# BASE may name any Debian with Python 3.11 to 3.13. With wheels in docker/wheels/ nothing is fetched from a package index.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# the Docker client is the workspace host's; git, bash and the rest of what scenarios use are in the workspaces' image, not here
RUN set -e; missing=; \
    for package in docker.io ca-certificates; do \
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"; \
    done; \
    if [ -n "$missing" ]; then \
        apt-get update; \
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; \
        rm -rf /var/lib/apt/lists/*; \
    fi

# what the project needs first: a change of its own code does not install PyTorch anew
COPY docker/wheels /tmp/wheels
COPY pyproject.toml constraints.txt /app/
WORKDIR /app
RUN set -e; python3 -m venv /opt/venv; \
    python3 -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb')); q = p['project']; o = q['optional-dependencies']; \
print('\n'.join(q['dependencies'] + o['lake'] + o['deploy']))" >/tmp/needed; \
    pip="/opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check -c constraints.txt"; \
    if ls /tmp/wheels/*.whl >/dev/null 2>&1; then pip="$pip --no-index --find-links /tmp/wheels"; \
    else $pip --no-deps --index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' constraints.txt)"; fi; \
    $pip -r /tmp/needed; \
    rm -rf /tmp/wheels /tmp/needed

# run from the checkout's layout: Dagster looks for the project's pyproject.toml above the package
COPY sql /app/sql
COPY ise_assets /app/ise_assets
ENV PYTHONPATH=/app
RUN printf '#!/opt/venv/bin/python\nfrom ise_assets.cli import app\n\napp()\n' >/opt/venv/bin/ise && chmod +x /opt/venv/bin/ise

# one person without privileges; /data and /cache are volumes, and a new volume takes over whose its folder is
RUN useradd --uid 1000 --user-group --create-home ise \
    && mkdir -p /data /cache /dagster \
    && chown ise:ise /data /cache /dagster
COPY docker/dagster.yaml docker/workspace.yaml /dagster/
ENV PATH=/opt/venv/bin:$PATH DAGSTER_HOME=/dagster DAGSTER_DISABLE_TELEMETRY=1 ISE_HOME=/data ISE_CACHE=/cache HOME=/home/ise
USER ise
WORKDIR /dagster
