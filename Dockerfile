# Mien as one small image: the runtime only, without compiler and root. `compose.yaml` runs it.
FROM python:3.11.14-slim-bookworm AS build
RUN python -m venv /opt/mien
ENV PATH=/opt/mien/bin:$PATH
WORKDIR /src
# Dependencies first: they change less often than the code, so that Docker can reuse this layer.
COPY requirements/build.txt requirements/runtime.txt ./
RUN pip install --no-cache-dir --require-hashes -r build.txt \
    && pip install --no-cache-dir --require-hashes -r runtime.txt
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && pip uninstall -q -y pip setuptools

FROM python:3.11.14-slim-bookworm
# Libraries that OpenCV loads.
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libgl1 libglib2.0-0 >/dev/null \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /tmp mien
COPY --from=build /opt/mien /opt/mien
ENV PATH=/opt/mien/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["mien"]
