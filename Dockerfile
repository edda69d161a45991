# A server for masks by words, without root:
#   docker build --tag zeroseg .
#   docker run --rm --publish 127.0.0.1:8000:8000 zeroseg
FROM python:3.12-slim

# CPU builds of torch; for a GPU: --build-arg TORCH_INDEX=https://pypi.org/simple
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

RUN useradd --create-home zeroseg
WORKDIR /zeroseg
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN pip install --no-cache-dir --constraint constraints.txt --index-url "$TORCH_INDEX" --extra-index-url https://pypi.org/simple "torch==2.13.0"
COPY src src
RUN pip install --no-cache-dir --constraint constraints.txt ".[web,heif]"

USER zeroseg
# Within the container it is always port 8000: publish it as another one.
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8000/health/ready', timeout=5)"]
ENTRYPOINT ["zeroseg", "serve", "--host", "0.0.0.0"]
