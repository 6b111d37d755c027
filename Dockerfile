# One image for web, worker, beat and management commands; compose.yaml sets the command of each.
FROM python:3.13-slim@sha256:9662417aace5ae7b8e2609cce472b72a8958e134ba372808abe9cc1a0c0125e6 AS packages
COPY requirements.lock ./
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock

FROM python:3.13-slim@sha256:9662417aace5ae7b8e2609cce472b72a8958e134ba372808abe9cc1a0c0125e6
RUN groupadd --system --gid 10001 chat \
    && useradd --system --uid 10001 --gid 10001 --no-create-home chat
COPY --from=packages /venv /venv
WORKDIR /app
# The files in a checkout may be readable by their owner only.
COPY --chmod=755 manage.py pyproject.toml ./
COPY --chmod=755 chatproject ./chatproject
COPY --chmod=755 inference ./inference
COPY --chmod=755 chat ./chat
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/tmp/chat \
    STATIC_ROOT=/app/static
# With development settings, collectstatic needs no secret that would end up in an image layer.
RUN APP_ENV=development MODEL_URL=http://none.invalid/ python manage.py collectstatic --noinput \
    && rm -rf /tmp/chat \
    && chmod -R a+rX /app/static  # the settings make files private, and another user serves these
ENV APP_ENV=production
# As a number, so that Kubernetes can check that it is not root.
USER 10001:10001
EXPOSE 3500
# Not /readyz: orchestrators restart what is unhealthy, and while Redis is away that closes WebSockets for nothing.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:3500/healthz', timeout=4)"]
CMD ["uvicorn", "--host", "0.0.0.0", "--port", "3500", "--lifespan", "off", "--no-access-log", "--http", "chatproject.uvicorn_http:DeadlineH11Protocol", "--ws", "websockets-sansio", "--ws-max-size", "262144", "--ws-per-message-deflate", "false", "--timeout-graceful-shutdown", "10", "chatproject.asgi:application"]
