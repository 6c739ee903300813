"""A project of two services, for tests on a real engine."""

from operator_demo.engine import Engine, members

TWO = """\
services:
  one:
    image: IMAGE
    init: true
    command: sleep 1000
    networks: {main: {aliases: [uno]}, side: }
    volumes: [data:/data]
    stop_grace_period: 0s
  two:
    image: IMAGE
    init: true
    command: sleep 1000
    environment: {GREETING: hello}
    networks: [main]
    stop_grace_period: 0s
networks: {main: , side: }
volumes: {data: }
"""


def ids(engine: Engine, project: str) -> dict[str, str]:
    return {c.service: c.id for c in members(engine, project)}
