from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operator_demo.compose import Project
from operator_demo.compose.model import (
    COMPLETED,
    HEALTHY,
    Attachment,
    Build,
    Dependency,
    Healthcheck,
    Mount,
    Network,
    Placed,
)
from operator_demo.compose.parse import parse_project
from operator_demo.compose.plan import config_hash, container_body
from operator_demo.errors import UsageError

Load = Callable[..., Project]
SERVICE = "services:\n  web:\n    image: i\n"

FULL = """\
name: other
x-common: &common
  image: IMAGE
  init: true
  restart: on-failure:3
  environment: &env {A: "1", B: two}
services:
  db:
    <<: *common
    command: sh -c 'echo "a b" $$HOME'
    environment: {<<: *env, B: "${B:-other}", C: 3, D: }
    networks: {main: {aliases: [database]}, other: }
    volumes:
      - data:/data
      - "/run/docker.sock:/var/run/docker.sock:ro"
      - {type: volume, source: data, target: /again, read_only: true}
      - {type: tmpfs, target: /scratch, tmpfs: {size: 64m}}
    tmpfs: /tmp:size=1m
    healthcheck: {test: [CMD, "true"], interval: 1s, timeout: 500ms, retries: 3, start_period: 1m}
    cap_add: [NET_ADMIN]
    cap_drop: [ALL]
    security_opt: [no-new-privileges]
    stop_grace_period: 1m30s
    stop_signal: SIGINT
    mem_limit: 512m
    deploy: {resources: {limits: {cpus: 0.5}}}
    labels: [one=1, two]
    logging: {driver: json-file, options: {max-size: 10k}}
    x-note: anything
  job:
    build: {context: ., dockerfile: job.Dockerfile, args: {V: "${V}"}}
    command: ["run", "it"]
    entrypoint: []
    depends_on: {db: {condition: service_healthy}}
    secrets: [key, {source: file_key, target: other}]
    user: "1000"
    working_dir: /srv
    hostname: job
  last:
    image: IMAGE
    read_only: true
    depends_on: {job: {condition: service_completed_successfully}}
    profiles: [extra]
networks:
  main: {driver: bridge, internal: true}
  other: {name: "${OUTER}", external: true}
volumes: {data: }
secrets: {key: {environment: KEY}, file_key: {file: key.txt}}
"""


def test_a_file_with_everything_in_it(load: Load, tmp_path: Path) -> None:
    p = load(FULL, env={"V": "7", "OUTER": "outer", "D": "from env", "KEY": "k"}, profiles=("extra",))
    db, job, last = p.services["db"], p.services["job"], p.services["last"]
    assert db.command == ("sh", "-c", 'echo "a b" $HOME')
    assert db.environment == {"A": "1", "B": "other", "C": "3", "D": "from env"}
    assert db.networks == {"main": Attachment(("database",)), "other": Attachment()}
    assert db.mounts == (Mount("volume", "data", "/data"),
                         Mount("bind", "/run/docker.sock", "/var/run/docker.sock", True, create_host_path=True),
                         Mount("volume", "data", "/again", True), Mount("tmpfs", "", "/scratch", tmpfs_size=64 << 20))
    assert db.tmpfs == {"/tmp": "size=1m"}
    assert db.healthcheck == Healthcheck(("CMD", "true"), 1.0, 0.5, 60.0, None, 3)
    assert (db.restart, db.config["StopTimeout"], db.host["Memory"]) == (("on-failure", 3), 90, 512 << 20)
    assert db.labels == {"one": "1", "two": ""}
    assert job.build == Build(tmp_path, "job.Dockerfile", None, {"V": "7"}, on_disk=True)
    assert (job.image, job.entrypoint, job.depends_on) == ("p-job", (), {"db": Dependency(HEALTHY)})
    assert job.secrets == (Placed("key", "/run/secrets/key", 0, 0, 0o600),
                           Placed("file_key", "/run/secrets/other", 0, 0, 0o600))
    assert job.networks == {"default": Attachment()}
    assert last.depends_on == {"job": Dependency(COMPLETED)}
    assert p.networks == {"main": Network("p_main", driver="bridge", internal=True), "other": Network("outer", True),
                          "default": Network("p_default")}
    assert p.volumes["data"].name == "p_data"


def test_a_service_of_another_profile_is_left_out(load: Load) -> None:
    p = load(FULL, env={"V": "7", "OUTER": "outer"})
    assert set(p.services) == {"db", "job"}


def test_the_body_is_what_the_engine_expects(load: Load) -> None:
    p = load(FULL, env={"V": "7", "OUTER": "outer", "KEY": "k"}, extra_labels={"io.operator-demo.run": "run-1"})
    body = container_body(p, p.services["db"], "sha256:1")
    assert body["HostConfig"]["NetworkMode"] == "p_main"
    assert body["NetworkingConfig"] == {"EndpointsConfig": {"p_main": {"Aliases": ["p-db-1", "db", "database"]}}}
    assert body["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert (body["HostConfig"]["NanoCpus"], body["StopTimeout"], body["StopSignal"]) == (500_000_000, 90, "SIGINT")
    assert body["Healthcheck"]["Interval"] == 10**9
    assert body["Labels"]["io.operator-demo.run"] == "run-1"
    assert body["Labels"]["com.docker.compose.oneoff"] == "False"
    depends = container_body(p, p.services["job"], "sha256:1")["Labels"]["com.docker.compose.depends_on"]
    assert depends == "db:service_healthy:false"


def test_the_hash_follows_configuration_image_and_secrets(load: Load) -> None:
    p = load(FULL, env={"V": "7", "OUTER": "outer"})
    db, key = p.services["db"], Placed("key", "/run/secrets/key", 0, 0, 0o600)

    def of(text: str = FULL, image: str = "sha256:1", secret: bytes = b"s") -> str:
        project = load(text, env={"V": "7", "OUTER": "outer"})
        service = project.services["db"]
        return config_hash(project, service, container_body(project, service, image), image, {key: secret})

    assert of() == config_hash(p, db, container_body(p, db, "sha256:1"), "sha256:1", {key: b"s"})
    changed = [of(image="sha256:2"), of(secret=b"t"), of(FULL.replace("cpus: 0.5", "cpus: 0.6")),
               of(FULL.replace("aliases: [database]", "aliases: [data]")), of(FULL.replace("two]", "three]"))]
    assert len({of(), *changed}) == len(changed) + 1


@pytest.mark.parametrize(("text", "line", "words"), [
    (SERVICE + "    credential_spec: {a: b}\n", 4, "web: the key 'credential_spec' is not supported"),
    (SERVICE + "    extends: {service: x}\n", 4, "web: the key 'extends' is not supported: write the keys out"),
    ("include: [x]\n" + SERVICE, 1, "the key 'include' is not supported: put the services into one file"),
    ("services:\n  web:\n    image: i\n    comand: x\n", 4, "did you mean 'command'"),
    ("services:\n  web:\n    image: i\n    image: j\n", 4, "'image' is there twice"),
    ("services:\n  web: {}\n  web: {}\n", 3, "'web' is there twice"),
    ("services:\n  web:\n    command: x\n", 3, "neither image nor build"),
    ("services: []\n", 1, "a mapping is expected here, not a list"),
    ("services:\n", 1, "there are no services"),
    ("x: 1\n", 1, "not supported"),
    (SERVICE + "    command: [true]\n", 4, "text is expected here, not the boolean true"),
    (SERVICE + "    environment: {A: [1]}\n", 4, "environment.A: text is expected here, not a list"),
    (SERVICE + "    environment: x\n", 4, "a mapping or a list is expected"),
    (SERVICE + "    init: maybe\n", 4, "true or false is expected here, not 'maybe'"),
    (SERVICE + '    init: "1"\n', 4, "true or false is expected here"),
    (SERVICE + "    volumes: [data:/data]\n", 4, "volume 'data' is not defined"),
    (SERVICE + "    volumes: [/a:x]\n", 4, "an absolute path is expected in the container"),
    (SERVICE + "    volumes: ['/a:/b:x']\n", 4, "mode 'x'"),
    (SERVICE + "    volumes: ['/a:/b:nocopy']\n", 4, "mode 'nocopy'"),
    (SERVICE + "    volumes: [/a, '/b:/a']\n", 4, "mounted on /a already"),
    (SERVICE + "    networks: [n]\n", 4, "network 'n' is not defined"),
    (SERVICE + "    secrets: [s]\n", 4, "secret 's' is not defined"),
    (SERVICE + "    depends_on: [db]\n", 4, "no service 'db'"),
    (SERVICE + "    depends_on: {web: {condition: service_up}}\n", 4, "none of service_started"),
    (SERVICE + "    depends_on: [web]\n", 4, "circle: web -> web"),
    (SERVICE + "    restart: sometimes\n", 4, "on-failure:N is expected here, not 'sometimes'"),
    (SERVICE + "    restart: always:3\n", 4, "is expected here"),
    (SERVICE + "    mem_limit: much\n", 4, "'much' is not a size"),
    (SERVICE + "    deploy: {resources: {limits: {cpus: 0}}}\n", 4, "number of processors"),
    (SERVICE + "    stop_grace_period: 10\n", 4, "'10' is not a duration"),
    (SERVICE + "    healthcheck: {test: [true]}\n", 4, "text is expected"),
    (SERVICE + "    healthcheck: {test: ['true']}\n", 4, "must begin with CMD"),
    (SERVICE + "    healthcheck: {retries: -1}\n", 4, "at least 0"),
    (SERVICE + "    command: \"a 'b\"\n", 4, "No closing quotation"),
    (SERVICE + "    labels: {com.docker.compose.project: x}\n", 4, "Compose's own"),
    (SERVICE + "    command: ${WHO}\n", 4, "variable WHO is not set"),
    (SERVICE + "    command: !reset x\n", 4, "tag !reset is not supported"),
    (SERVICE + "    pull_policy: daily\n", 4, "none of always"),
    (SERVICE + "networks: {n: {external: true, driver: bridge}}\n", 4, "no effect"),
    (SERVICE + "networks: {n: {scope: x}}\n", 4, "network n: the key 'scope' is not supported"),
    (SERVICE + "volumes: {v: {size: x}}\n", 4, "volume v: the key 'size' is not supported"),
    (SERVICE + "    secrets: [s]\n    read_only: true\nsecrets: {s: {environment: S}}\n", 3, "read_only"),
    (SERVICE + "    secrets: [s]\n    tmpfs: /run\nsecrets: {s: {environment: S}}\n", 3, "hide the secrets"),
    ("a: &a {<<: *a}\nservices: {}\n", 1, "not supported"),
    ("services: &a\n  <<: *a\n", 1, "contains itself"),
    ("services: {web: {image: i, <<: 1}}\n", 1, "<< takes a mapping"),
    ("services: {web: {image: i, <<: }}\n", 1, "<< takes a mapping"),
    ("services:\n  web:\n    <<: {image: i}\n    <<: {user: a}\n", 4, "web: the key '<<' is there twice"),
    (SERVICE + "---\nservices: {}\n", 4, "a second YAML document begins here"),
    (SERVICE + "---\n", 4, "a second YAML document begins here"),
    ("services: {[a]: b}\n", 1, "a key must be plain text"),
    ("services: [\n", 2, "not valid YAML"),
    ("a: *nowhere\n", 1, "not valid YAML"),
])
def test_a_mistake_is_named_with_its_place(text: str, line: int, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_project(text, Path("/"), "compose.yaml", project="p", env={})
    assert caught.value.message.startswith(f"compose.yaml:{line}: "), caught.value.message
    assert words in caught.value.message


@pytest.mark.parametrize("text", ["", "\0", "\ud800", "# nothing\n", "--- 1\n--- 2\n", "[" * 5000, "&a [*a]"])
def test_what_is_no_compose_file_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"compose\.yaml"):
        parse_project(text, Path("/"), "compose.yaml", project="p", env={})


def test_the_longer_circle_is_shown() -> None:
    text = "services:\n" + "".join(f"  {a}: {{image: i, depends_on: [{b}]}}\n" for a, b in ("ab", "bc", "ca"))
    with pytest.raises(UsageError, match="circle: a -> b -> c -> a"):
        parse_project(text, Path("/"), "compose.yaml", project="p", env={})


def test_a_long_chain_is_no_circle() -> None:
    text = "services:\n  s0: {image: i}\n" + "".join(
        f"  s{n}: {{image: i, depends_on: [s{n - 1}]}}\n" for n in range(1, 1500))
    assert len(parse_project(text, Path("/"), "compose.yaml", project="p", env={}).services) == 1500


def test_merges_of_merges_take_no_exponential_time() -> None:
    text = "x-0: &a0 {image: i}\n" + "".join(
        f"x-{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 60))
    p = parse_project(text + "services: {web: *a59}\n", Path("/"), "c.yaml", project="p", env={})
    assert p.services["web"].image == "i"


@pytest.mark.parametrize("name", ["", "Upper", "-x", "a b", "é"])
def test_a_bad_project_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="project"):
        parse_project(SERVICE, Path("/"), "compose.yaml", project=name, env={})


def test_a_secret_is_not_in_the_repr(load: Load) -> None:
    assert "hidden" not in repr(load(FULL, env={"V": "7", "OUTER": "o", "KEY": "hidden"}))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet="a:-[]{}&*!<>|\n \"'#?,\t%@`$", max_size=60)))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_project(text, Path("/"), "c.yaml", project="p", env={})
