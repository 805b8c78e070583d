# The marketplace, the scheduler's workers and the validator: one image, three commands.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
WORKDIR /srv/berth

COPY requirements/runtime.txt requirements/
RUN pip install --require-hashes --requirement requirements/runtime.txt

COPY pyproject.toml README.md LICENSE manage.py ./
COPY protocol protocol
COPY marketplace marketplace
COPY validator validator
# Not to run here: the site packs them for its hosts' machines.
COPY requirements/agent.txt requirements/
COPY miner_agent miner_agent
COPY prover prover
COPY templates templates
COPY static static
# A dozen processes start from this: none of them has to compile it all again.
RUN python -m compileall -q marketplace protocol validator

RUN useradd --system --home-dir /var/lib/berth --create-home berth
ENV BERTH_DATA_DIR=/var/lib/berth
USER berth
EXPOSE 8000
CMD ["uvicorn", "marketplace.asgi:application", "--lifespan", "on", "--host", "0.0.0.0", "--port", "8000", "--no-proxy-headers", "--ws-max-size", "131072", "--ws-max-queue", "4", "--ws-per-message-deflate", "false"]
