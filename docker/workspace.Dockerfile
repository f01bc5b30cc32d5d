# A workspace as a container image: what the bubblewrap backend takes from the host's /usr, pinned to one distribution.
#
#   docker build -f docker/workspace.Dockerfile -t ise-workspace .
#   docker run -i --rm --network none --cap-drop ALL --read-only ... ise-workspace
#
# agentd, the tool server, is the entry point and PID 1; it speaks length-prefixed frames over stdin and stdout and ends
# when stdin does. Nothing else is started. Writable places (/workspace, /home, /tmp ...) are tmpfs, mounted by whoever
# starts the container; under --read-only the image itself stays as it is.
#
# BASE may name any Debian of the same release: a mirror's copy, or an image imported from debootstrap.
ARG BASE=debian:bookworm-slim
FROM ${BASE}

# The full python3: python3-minimal lacks json, ctypes, tarfile and http.server, which agentd and scenarios need.
# Of the rest each is what some scenario lists under `requires`, or what a person at a shell takes for granted.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        bc \
        bsdextrautils \
        ca-certificates \
        curl \
        diffutils \
        file \
        findutils \
        gawk \
        git \
        jq \
        less \
        make \
        openssh-client \
        patch \
        procps \
        python3 \
        rsync \
        sqlite3 \
        tree \
        unzip \
        xxd \
        xz-utils \
        zip \
    && rm -rf /var/lib/apt/lists/*

# The same person and places as in bubblewrap, so that a session recorded there is replayed here path by path.
RUN useradd --uid 1000 --user-group --create-home --home-dir /home/user --shell /bin/bash user \
    && mkdir /workspace \
    && chown user:user /workspace

COPY --chmod=0444 ise_assets/execute/agentd.py /opt/agentd.py

ENV HOME=/home/user \
    USER=user \
    LANG=C.UTF-8 \
    TZ=UTC \
    PYTHONHASHSEED=0
USER 1000:1000
WORKDIR /home/user
# -I -S: nothing of the workspace (PYTHONPATH, the current folder, site-packages) may change what the tool server imports.
ENTRYPOINT ["/usr/bin/python3", "-I", "-S", "-B", "/opt/agentd.py"]
