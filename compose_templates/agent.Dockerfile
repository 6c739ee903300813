# The image of everything of ours that runs beside a subject: monitor, load, agent, and the one-shot helpers.
# Built by operator-demo itself from two files: this one and the single file.
FROM operator-demo/base:trixie

RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        bash bind9-dnsutils ca-certificates curl docker-cli iproute2 iptables iputils-ping jq procps python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

# The agent's shell runs as this user. It can read neither the program and what it unpacked (scenarios and known repairs
# are in there) nor the store in /data; a fresh volume takes over the mode of the folder it covers.
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin shell \
 && install -d -m 0700 /opt/operator /opt/shiv /data \
 && ln -s /opt/operator/operator-demo /usr/local/sbin/operator-demo

ENV SHIV_ROOT=/opt/shiv PYTHONUNBUFFERED=1

# Last, because this alone changes when the program changes. Unpacked and compiled here, no container has to do it.
COPY operator-demo /opt/operator/operator-demo
RUN operator-demo --version && python3 -m compileall -q -j 0 /opt/shiv
