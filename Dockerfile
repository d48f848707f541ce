# The duplex worker: what uv.lock names, without the embedded servers, and a user without rights.
FROM python:3.11-slim AS build
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /source
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv export --quiet --frozen --no-emit-project --output-file /requirements.txt \
    && python -m venv /venv \
    && uv pip install --python /venv/bin/python --require-hashes -r /requirements.txt
COPY schemas schemas
COPY streams streams
COPY connectors connectors
COPY duplex duplex
RUN uv pip install --python /venv/bin/python --no-deps .

FROM python:3.11-slim
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --uid 1000 --create-home duplex
USER duplex
WORKDIR /project
ENTRYPOINT ["duplex"]
CMD ["run"]
