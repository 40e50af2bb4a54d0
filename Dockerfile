# Both sides of the gateway. Nothing is fetched when it runs, nothing in it is written.
# PYTHON is any Debian with Python 3.11 or newer: the same in both stages.
ARG PYTHON=docker.io/library/python:3.13-slim-bookworm

FROM ${PYTHON} AS build
# `lab` adds the simulators.
ARG EXTRA=fast
ENV UV_PROJECT_ENVIRONMENT=/opt/otgate UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir uv==0.13.9
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./
# What others wrote, by the hashes of uv.lock; a layer of its own, kept while only our code changes.
RUN /opt/uv/bin/uv sync --no-cache --frozen --no-dev --no-install-project --extra "${EXTRA}" --python "$(command -v python3)" \
 && find /opt/otgate -depth -type d -path '*/numpy/*' -name tests -exec rm -r {} +
COPY gateway gateway
COPY drivers drivers
COPY simulators simulators
COPY config config
RUN /opt/uv/bin/uv sync --no-cache --frozen --no-dev --no-editable --extra "${EXTRA}" --python "$(command -v python3)"

FROM ${PYTHON}
# Two users that share the spool's group: 10001 writes it, 10002 reads it.
RUN groupadd --gid 10000 otgate-spool \
 && useradd --no-log-init --no-create-home --uid 10001 --gid 10000 --shell /usr/sbin/nologin otgate-field \
 && useradd --no-log-init --no-create-home --uid 10002 --gid 10000 --shell /usr/sbin/nologin otgate-bus \
 && install -d -o 10001 -g 10000 -m 2750 /var/lib/otgate/spool \
 && install -d -o 10001 -g 10000 -m 0700 /var/lib/otgate/field \
 && install -d -o 10002 -g 10000 -m 0700 /var/lib/otgate-bus
COPY --from=build /opt/otgate /opt/otgate
ENV PATH=/opt/otgate/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 10001:10000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["otgate", "metrics", "--health", "--control", "/run/otgate"]
ENTRYPOINT ["otgate"]
CMD ["--help"]
