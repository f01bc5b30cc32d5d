# A stand-in for the image postgres:17-bookworm, where no registry can be reached: Debian's PostgreSQL with the same variables.
ARG BASE
FROM ${BASE}
COPY postgres-entrypoint.sh /entrypoint.sh
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["/bin/bash", "/entrypoint.sh"]
