# The image of API, workers and migrations. `docker build --build-arg TORCH=cuda .` for workers with a GPU.
ARG PYTHON=3.11-slim-bookworm

# The locked packages, in a virtual environment that the last stage copies.
FROM python:${PYTHON} AS packages
ARG TORCH=cpu
ARG UV=0.13.8
RUN pip install --no-cache-dir uv==${UV}
WORKDIR /build
COPY requirements/run.txt scripts/image_lock.py ./
RUN python image_lock.py run.txt rest.txt torch.txt \
    && uv venv /venv \
    && case "$TORCH" in \
        cpu) uv pip install --python /venv/bin/python --no-cache --no-deps --require-hashes -r rest.txt \
            && uv pip install --python /venv/bin/python --no-cache --no-deps --torch-backend cpu -r torch.txt ;; \
        cuda) uv pip install --python /venv/bin/python --no-cache --no-deps --require-hashes -r run.txt ;; \
        *) echo "TORCH is cpu or cuda, not $TORCH" >&2; exit 1 ;; \
    esac

# Perdure itself: changed code does not install the packages anew.
FROM packages AS application
COPY . /source
RUN uv pip install --python /venv/bin/python --no-cache --no-deps --no-build-isolation /source \
    && /venv/bin/python -m compileall -q /venv/lib

# The embedding model, exported once, so that no container needs to write.
FROM application AS model
RUN /venv/bin/python -m perdure.providers.minilm_export /models && rm -f /models/.export.lock

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="Perdure" org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tesseract-ocr tesseract-ocr-eng \
    && rm -rf /var/lib/apt/lists/* \
    && pip uninstall --yes pip setuptools wheel \
    && groupadd --system --gid 10001 perdure \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/perdure --create-home perdure
COPY --from=application /venv /venv
COPY --from=model /models /usr/share/perdure/models
COPY worker.py /app/worker.py
WORKDIR /app
ENV PATH=/venv/bin:$PATH \
    PERDURE_HOME=/var/lib/perdure \
    PERDURE_MODEL_HOME=/usr/share/perdure/models \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# By number, so that Kubernetes can tell that it is not root.
USER 10001:10001
EXPOSE 8000 9464
# Of the API; for a worker, whoever runs it asks its metrics instead.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/live', timeout=3)"]
CMD ["python", "-m", "api.serve", "--host", "0.0.0.0", "--port", "8000"]
