FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CHAT_DATA=/data \
    HOST=0.0.0.0 \
    PORT=8000

WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

# The user exists before the volume does, so that a new volume belongs to it.
RUN useradd --system --uid 10001 --user-group --no-create-home porchlight \
    && install --directory --owner porchlight --group porchlight --mode 0700 /data

COPY . .
USER porchlight
VOLUME /data

EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/up', timeout=4)"]
CMD ["gunicorn", "wsgi:app"]
