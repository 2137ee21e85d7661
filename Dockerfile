# The tap as a plain command:
#
#     docker build --tag tap-akeneo-assets .
#     docker run --rm --env-file .env tap-akeneo-assets --config=ENV --test
#
# With Meltano and target-postgres, in Meltano's own image:
#
#     docker build --target meltano --tag akeneo-meltano .
#     docker run --rm --env-file .env akeneo-meltano run akeneo-hourly

ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE meltano.yml ./
COPY tap_akeneo_assets tap_akeneo_assets
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim AS installed
# Extras such as `[s3]`, for a cloud that media files are stored on.
ARG EXTRAS=""
COPY --from=wheel /wheels /wheels
RUN python -m venv /opt/tap \
    && /opt/tap/bin/pip install --no-cache-dir "$(echo /wheels/*.whl)${EXTRAS}"

FROM meltano/meltano:v4.4-python${PYTHON} AS meltano
COPY --from=wheel /wheels /wheels
RUN useradd --create-home --uid 1000 meltano && mkdir /warehouse && chown meltano /warehouse
USER meltano
WORKDIR /warehouse
# Meltano makes an environment of its own for each plugin; the entry names the wheel.
RUN python -m venv /tmp/tap \
    && /tmp/tap/bin/pip install --no-cache-dir /wheels/*.whl \
    && meltano init . \
    && /tmp/tap/bin/tap-akeneo-assets-meltano >> meltano.yml \
    && rm -r /tmp/tap \
    && meltano install extractors \
    && meltano install loader target-postgres

FROM python:${PYTHON}-slim AS tap
RUN useradd --create-home --uid 1000 tap
COPY --from=installed /opt/tap /opt/tap
ENV PATH=/opt/tap/bin:$PATH
USER tap
WORKDIR /home/tap
# The tap is process 1, so it gets the signals itself: `docker stop` ends it within 3 seconds, with a last STATE.
ENTRYPOINT ["tap-akeneo-assets"]
