# A workspace as a container image: what the bubblewrap backend takes from the host's /usr, pinned to one distribution.
#
#   docker build -f docker/workspace.Dockerfile -t ise-workspace .          where a registry can be reached
#   docker/build-workspace-image.sh                                         where none can: from the machine's Debian packages
#
# It carries programs only. agentd, the tool server that becomes PID 1, is sent by the host when a workspace starts, so an image
# is never of another version than the code that talks to it. Writable places (/workspace, /home, /tmp ...) are tmpfs, mounted
# by whoever starts the container; the image itself is read-only.
#
# BASE may name any Debian of the same release: a mirror's copy, or an image imported from debootstrap.
ARG BASE=debian:bookworm-slim
FROM ${BASE}

COPY docker/workspace-packages.txt /tmp/packages
# A base from debootstrap has them all, and then nothing is fetched.
RUN set -e; missing=; \
    for package in $(grep -v '^#' /tmp/packages); do \
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"; \
    done; \
    if [ -n "$missing" ]; then \
        apt-get update; \
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; \
    fi; \
    rm -rf /tmp/packages /var/lib/apt/lists/* /var/cache/apt/*

# The same person and places as in bubblewrap, so that a session recorded there is replayed here path by path. No file of the
# image may raise privileges, and git's system configuration is nobody's.
RUN useradd --uid 1000 --user-group --create-home --home-dir /home/user --shell /bin/bash user \
    && mkdir /workspace \
    && chown user:user /workspace \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +

USER 1000:1000
WORKDIR /home/user
