# The study and all it runs on: docker build --tag distil . && docker run --rm -it distil
# Debian 12 has glibc 2.36; the wheels of mlx need 2.35.
FROM python:3.12.11-slim-bookworm

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make tesseract-ocr \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 researcher \
    && install --directory --owner=researcher /study

USER 1000
WORKDIR /study
# The packages before the code, so that a change of code does not install them again.
COPY --chown=researcher requirements.lock pyproject.toml ./
COPY --chown=researcher envs envs
COPY --chown=researcher distil distil
RUN python envs/set_up.py
COPY --chown=researcher . .
ENV PATH="/study/.venv/bin:${PATH}"

ENTRYPOINT ["make"]
CMD ["reproduce"]
