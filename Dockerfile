# The app on a CPU, as docs/serving.md starts it: read-only, without privileges, no network needed.
FROM python:3.12-slim AS build
WORKDIR /build
COPY requirements.txt constraints.txt ./
# torch first: its default build brings 5 GB of CUDA.
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu \
    "$(grep '^torch==' constraints.txt)" \
 && /venv/bin/pip install --no-cache-dir -r requirements.txt -c constraints.txt

FROM python:3.12-slim
WORKDIR /app
COPY --from=build /venv /venv
COPY app.py ./
COPY jomed_app jomed_app
COPY assets assets
COPY index index
# The page is reached through a port that is published; logs and uploads are all that is written.
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    JOMED_LOG_DIR=/tmp/jomed-logs \
    TMPDIR=/tmp
USER 10001:10001
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=4)"]
ENTRYPOINT ["python", "app.py"]
