# A small Git server over SSH, for a hub without one. It takes keys alone, runs git and nothing else, and never runs as root.
FROM debian:bookworm-slim
ARG UID=65532
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git openssh-server \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* \
    && useradd --uid "$UID" --no-create-home --home-dir /srv/git --shell /bin/sh git \
    && install -d -m 0700 -o "$UID" -g "$UID" /srv/git /keys /keys/server /keys/reader
COPY git/sshd_config /etc/outrider-git/sshd_config
COPY git/serve.sh /usr/local/bin/outrider-git
COPY git/read.sh /usr/local/bin/outrider-git-read
USER 65532:65532
EXPOSE 2222
CMD ["outrider-git"]
