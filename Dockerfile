FROM python:3.11-slim AS build
RUN pip install --no-cache-dir uv
WORKDIR /app
COPY requirements/run.txt requirements/run.txt
RUN uv venv /venv && uv pip install --python /venv/bin/python --no-cache --require-hashes -r requirements/run.txt
COPY . .
RUN uv pip install --python /venv/bin/python --no-cache --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tesseract-ocr tesseract-ocr-eng \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/perdure --create-home perdure
COPY --from=build /venv /venv
COPY worker.py /app/worker.py
WORKDIR /app
ENV PATH=/venv/bin:$PATH PERDURE_HOME=/var/lib/perdure PYTHONUNBUFFERED=1
USER perdure
EXPOSE 8000
CMD ["python", "-m", "api.serve", "--host", "0.0.0.0", "--port", "8000"]
