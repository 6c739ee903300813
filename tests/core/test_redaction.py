"""What looks like a secret, what only looks so, how long it takes, and that a shown command hides nothing that runs."""

import base64
import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.redaction import KNOWN_SECRET, REDACTED, Scrubber, redact, shown_command

KEY = "sk-ant-test-" + "0123456789abcdefXYZ" * 2
PEM_BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"


@pytest.mark.parametrize(("text", "secret"), [
    ("sk-ant-api03-abcdefgh12345678", "abcdefgh"),
    ("Authorization: Bearer abcdef123456", "abcdef123456"),
    ("authorization: basic YWxhZGRpbjpvcGVu", "YWxhZGRpbjpvcGVu"),
    ("x-api-key: abcdef123456", "abcdef123456"),
    ("ANTHROPIC_API_KEY=abcdef123456", "abcdef123456"),
    ("DB_PASSWORD=correcthorse", "correcthorse"),
    ("PGPASSWORD=tr0ub psql", "tr0ub"),
    ("MYSQL_PWD=tr0ub mysql", "tr0ub"),
    ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfi", "wJalrXUtnFEMI"),
    ("id AKIAIOSFODNN7EXAMPLE in", "AKIAIOSFODNN7EXAMPLE"),
    ("ghp_" + "a1B2" * 9, "a1B2a1B2"),
    ("github_pat_11" + "a1B2_" * 12, "a1B2_a1B2"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN", "dozjgNryP4J3jVmN"),
    ("postgres://bob:tr0ub@db/x", "tr0ub"),
    ("bob:tr0ub@db:5432", "tr0ub"),
    ("root:tr0ub@tcp(10.0.0.1:3306)/", "tr0ub"),
    ('{"token": "tr0ub"}', "tr0ub"),
    ('{"token":"a b tr0ub"}', "tr0ub"),
    (r'{"token": "a\" tr0ub"}', "tr0ub"),
    (r'{"line": "{\"token\": \"tr0ub\"}"}', "tr0ub"),
    ("login --password tr0ub now", "tr0ub"),
    ("login --db-password=tr0ub now", "tr0ub"),
    ('["login", "--password", "tr0ub"]', "tr0ub"),
    ("PASSWORD='correct horse tr0ub' x", "tr0ub"),
    ('PASSWORD="correct horse tr0ub', "tr0ub"),
    ("password: tr0ub", "tr0ub"),
    (f"-----BEGIN RSA PRIVATE KEY-----\n{PEM_BODY}\n{PEM_BODY[:7]}\n-----END RSA PRIVATE KEY-----", PEM_BODY[:7]),
    (f"-----BEGIN PRIVATE KEY-----\n{PEM_BODY}\n{PEM_BODY}\n", PEM_BODY[:9]),
    (f"{PEM_BODY}\n{PEM_BODY[:9]}=\n-----END PRIVATE KEY-----", PEM_BODY[:9]),
    (rf'{{"k": "-----BEGIN EC PRIVATE KEY-----\n{PEM_BODY}\n-----END EC PRIVATE KEY-----"}}', PEM_BODY[:9]),
])
def test_what_looks_like_a_secret_is_redacted(text: str, secret: str) -> None:
    shown = redact(f"before {text} after")
    assert REDACTED in shown
    assert secret not in shown
    assert shown.startswith("before ")
    assert redact(shown) == shown


@pytest.mark.parametrize("text", [
    "--initial-cluster-token etcd-cluster-1", "ETCD_INITIAL_CLUSTER_TOKEN=etcd-cluster-1",
    "etcd:v3.5@sha256:0123abcd", "PWD=/root", "12 tokens in, 40 out", '"input_tokens": 5, "max_token": 6',
    "http://10.0.0.1:2379/health", "member etcd1: healthy", "key=value",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
])
def test_what_only_looks_like_one_stays(text: str) -> None:
    assert redact(text) == text


def test_a_private_key_without_end_hides_no_prose() -> None:
    assert redact("-----BEGIN PRIVATE KEY-----\nthe cluster is down\n") == f"{REDACTED}\nthe cluster is down\n"


class TestAKnownSecret:
    def test_is_marked_wherever_it_stands(self) -> None:
        assert redact("xhunter2hunter2x", ["hunter2hunter2"]) == f"x{KNOWN_SECRET}x"

    @given(st.binary(max_size=80), st.binary(max_size=40), st.booleans(), st.booleans())
    def test_is_found_in_base64(self, before: bytes, after: bytes, lines: bool, urlsafe: bool) -> None:
        secret = "p/Q+" + KEY
        encode = base64.encodebytes if lines else base64.urlsafe_b64encode if urlsafe else base64.b64encode
        encoded = encode(before + secret.encode() + after).decode()
        shown = redact(encoded, [secret])
        assert KNOWN_SECRET in shown
        rest = "".join(shown.replace(KNOWN_SECRET, "\0").split())
        for part in rest.split("\0"):
            assert len(part) <= len(base64.b64encode(before)) + len(base64.b64encode(after)) + 4

    def test_is_found_in_hexadecimal(self) -> None:
        assert redact(f"<{KEY.encode().hex().upper()}>", [KEY]) == f"<{KNOWN_SECRET}>"


class TestInsideJson:
    scrub = Scrubber([KEY])

    @pytest.mark.parametrize("value", ['a"b', "a\\", 'a" b"c', "a'b", "\x1b]0;x\x07", "{", "a\nb"])
    def test_values_are_redacted_and_it_stays_json(self, value: str) -> None:
        given = {"environment": [f"DB_PASSWORD={value}tr0ub", "A=1"], "command": ["x", "--token", f"{value}tr0ub"],
                 "token": f"{value}tr0ub", "nested": {"x": {"api_key": f"{value}tr0ub"}}}
        told = self.scrub.deep(given)
        assert "tr0ub" not in json.dumps(told)
        assert told["environment"] == [f"DB_PASSWORD={REDACTED}", "A=1"]
        assert told["command"] == ["x", "--token", REDACTED]

    def test_keys_are_redacted_too(self) -> None:
        assert self.scrub.deep({KEY: 1}) == {KNOWN_SECRET: 1}

    def test_what_is_no_text_stays(self) -> None:
        given = {"token": None, "password": 5, "a": [1.5, True]}
        assert self.scrub.deep(given) == given


HIDING = [
    "\x1b]0;docker run -v /:/host x\x07docker ps -q | wc -l",
    "\x1b]0;docker run -v /:/host x",
    "\x1bPdocker run -v /:/host x\x1b\\docker ps",
    "X_TOKEN=$(docker run -v /:/host x) docker ps",
    "X_TOKEN=`docker run -v /:/host x`",
    'X_TOKEN="$(docker run -v /:/host x)"',
    "X_TOKEN='x'; eval 'docker run -v /:/host x'",
    "PASSWORD= docker run -v /:/host x",
    ": -----BEGIN PRIVATE KEY-----\ndocker run -v /:/host x\n: -----END PRIVATE KEY-----",
    "curl -H \"authorization: bearer $(docker run -v /:/host x)\" etcd1",
    "curl https://a:$(docker run -v /:/host x)@etcd1",
    "--password $(docker run -v /:/host x)",
]


@pytest.mark.parametrize("command", HIDING)
def test_a_shown_command_hides_nothing_that_runs(command: str) -> None:
    shown = shown_command(command)
    assert "docker run -v /:/host x" in shown
    assert shown.isprintable() or "\n" in shown


@pytest.mark.parametrize(("command", "shown"), [
    ("PGPASSWORD=tr0ub psql", f"PGPASSWORD={REDACTED} psql"),
    ("curl -H 'authorization: bearer tr0ub'", f"curl -H 'authorization: bearer {REDACTED}'"),
    ("mysql --password tr0ub", f"mysql --password {REDACTED}"),
])
def test_a_shown_command_has_no_plain_secret(command: str, shown: str) -> None:
    assert shown_command(command) == shown


SHELL_SYNTAX = re.compile(r"[$`;|&<>(){}]")


@given(st.text(alphabet="aT=:\"'$`(); |&\n-@/") | st.lists(st.sampled_from(
    ["X_TOKEN=", "--password ", "authorization: bearer ", "://a:", "@b", "$(x)", "`y`", ";", "'", '"', " ", "\n", "|",
     "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "\x1b]", "\x1bP", "word", "\\"])).map("".join))
def test_no_syntax_of_a_shell_is_hidden(command: str) -> None:
    assert SHELL_SYNTAX.findall(shown_command(command)) == SHELL_SYNTAX.findall(command)


@pytest.mark.parametrize("unit", [
    "the quick brown fox ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "A", "_", "a-", "TOKEN=", "://", "://a:",
    "\x1b]", "\x1b[", "\x1b", "authorization: ", "authorization: bearer ", " ", "eyJ-", "eyJaaaaaaaa.", "a:b", "a.b:",
    "--a-token ", '"token": "', "A" * 76 + "\n", "\\", '"', "PRIVATE KEY ", "API_KEY", "password='", "-----END ",
])
def test_the_worst_lines_take_little_time(unit: str) -> None:
    """256 KiB; what took two minutes takes a fraction of a second."""
    text = (unit * (2**18 // len(unit) + 1))[:2**18]
    scrub = Scrubber([KEY])
    began = time.process_time()
    scrub(text)
    assert time.process_time() - began < 2.0
