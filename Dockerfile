# `glip serve` on a CPU:
#
#   docker build -t glip .
#   docker run --rm -p 127.0.0.1:8000:8000 glip
#   docker run --rm -p 8000:8000 -e GLIP_API_KEY=secret glip --model glip-nano --queue 128
FROM python:3.12-slim

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1

# The wheels of the usual index bring CUDA with them, several GB of it.
RUN pip install --index-url https://download.pytorch.org/whl/cpu torch torchvision

WORKDIR /src
COPY . .
# OpenCV's usual wheel needs libGL, which a machine without a screen lacks.
RUN pip install '.[serve]' \
    && version=$(python -c "from importlib.metadata import version; print(version('opencv-python'))") \
    && pip uninstall -y opencv-python \
    && pip install --no-deps opencv-python-headless==$version

RUN useradd --create-home glip
USER glip
WORKDIR /home/glip

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]

# SIGTERM, which `docker stop` sends, lets requests finish that are under way.
STOPSIGNAL SIGTERM
ENTRYPOINT ["glip", "serve", "--host", "0.0.0.0", "--port", "8000"]
