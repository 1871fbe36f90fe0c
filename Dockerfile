# The server of docs/serving.md, as a user without a name or a home, with nothing to write to.
# `make image` builds it; tests/serving/test_container.py runs its command under the same conditions.
FROM python:3.13-slim

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY maskjax maskjax
COPY configs configs
RUN pip install --no-cache-dir ".[serve]" && rm -rf /src/*
WORKDIR /

# Compiled programs are kept where a volume is mounted and named: MASKJAX_COMPILE_CACHE=/cache.
ENV MASKJAX_COMPILE_CACHE=off
ENV PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 8000
HEALTHCHECK --start-period=120s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=5)"]
ENTRYPOINT ["maskjax", "serve", "--host", "0.0.0.0", "--offline"]
CMD ["--base", "/base", "--tasks", "/tasks"]
