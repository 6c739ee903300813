"""The files that env_file names. What is expected here is what Compose 2.26 makes of the same lines."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.compose.dotenv import parse_dotenv
from operator_demo.compose.parse import parse_project
from operator_demo.errors import UsageError

ENV = {"HOME": "/root", "B": "outside"}


@pytest.mark.parametrize(("text", "expected"), [
    ("", {}), ("\n\n  # only a comment\n", {}), ("A=1", {"A": "1"}), ("A=1\r\nB2=2\r\n", {"A": "1", "B2": "2"}),
    ("\ufeffA=1\n", {"A": "1"}), ("A=1\nA=2\n", {"A": "2"}), ("A=\n", {"A": ""}), ("A= \n", {"A": ""}),
    ("export A=1\n  export\tC = 3 \n", {"A": "1", "C": "3"}), ("export=1\n", {"export": "1"}),
    ("A: yaml\n", {"A": "yaml"}), ("A=a=b\n", {"A": "a=b"}), ("1N=2\na.b-c[0]=3\n", {"1N": "2", "a.b-c[0]": "3"}),
    ("F=un # comment\nG=un#no\nH= # x\n", {"F": "un", "G": "un#no", "H": "# x"}),
    ("B = \"x y\" # c\nD='$A \\n'\n", {"B": "x y", "D": "$A \\n"}),
    ('E="a \\n\\t \\$x \\"q\\" \\101 \\q \\0101"\n', {"E": 'a \n\t $x "q" \\101 \\q A'}),
    ('K="multi\nline"\nL=\'one\ntwo\'\n', {"K": "multi\nline", "L": "one\ntwo"}),
    ("Q='it\\'s'\n", {"Q": "it's"}), ("N=\\n\n", {"N": "\\n"}), ("M=$$x\n", {"M": "$x"}), ("A=5 $\n", {"A": "5 $"}),
    ("A=1\nC=${A}-$A-${NONE:-d}\n", {"A": "1", "C": "1-1-d"}), ("A='$x'\nC=$A\n", {"A": "$x", "C": "$x"}),
    ("B=inside\nC=$B\n", {"B": "inside", "C": "outside"}),
    ("HOME\nNOT_SET\n", {"HOME": "/root"}), ("HOME", {"HOME": "/root"}), ("export HOME\n", {"HOME": "/root"}),
])
def test_lines(text: str, expected: dict[str, str]) -> None:
    assert parse_dotenv(text, ENV) == expected


@pytest.mark.parametrize(("text", "words"), [
    ("A=1\n\nB C=2\n", "line 3: NAME=value is expected, not 'B C=2'"), ("=1\n", "line 1: NAME=value"),
    ("A='x\n", "line 1: a ' is not closed"), ('A=1\nB="x" y\n', 'line 2: nothing is expected after the closing "'),
    ("# c\nA=$NONE\n", "line 2: the variable NONE is not set"), ("A=${X\n", "without its }"),
    ("a?=1", "NAME=value"),
])
def test_mistakes(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"^line \d+: ") as caught:
        parse_dotenv(text, ENV)
    assert words in str(caught.value)


@given(st.one_of(st.text(), st.text(alphabet="AB=:'\"\\$ {}#\n\r\t-export", max_size=40)))
def test_nothing_but_a_value_error(text: str) -> None:
    try:
        parse_dotenv(text, ENV)
    except ValueError as e:
        if not str(e).startswith("line "):
            raise


@given(st.text(alphabet=st.characters(blacklist_characters="'\0", blacklist_categories=["Cs"])))
def test_single_quotes_bring_any_text_through(value: str) -> None:
    if not value.endswith("\\"):
        assert parse_dotenv(f"A='{value}'\nZ=1", {}) == {"A": value, "Z": "1"}


def environment(folder: Path, keys: str, env: dict[str, str] | None = None) -> dict[str, str | None]:
    text = f"services:\n  web:\n    image: i\n{keys}"
    return dict(parse_project(text, folder, "compose.yaml", project="p", env=env or {}).services["web"].environment)


def test_later_files_and_the_service_itself_win(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("A=1\nB=1\nC=1\n")
    (tmp_path / "b.env").write_text("B=2\nC=$A$B\nOUT=$OUT\n")
    keys = "    env_file: [a.env, {path: ./b.env, required: true}, {path: none.env, required: false}]\n"
    assert environment(tmp_path, keys + "    environment: {C: 3}\n", {"OUT": "o"}) == {
        "A": "1", "B": "2", "C": "3", "OUT": "o"}
    assert environment(tmp_path, "    env_file: a.env\n") == {"A": "1", "B": "1", "C": "1"}
    assert environment(tmp_path / "x", "    env_file: ../a.env\n")["A"] == "1"


@pytest.mark.parametrize(("content", "words"), [
    (b"A=1\nB C\n", r"compose\.yaml:4: service web: env_file: a\.env: line 2: NAME=value"),
    (b"\xff", r"env_file: cannot read"), (b"A='\0'", "a zero byte"), (None, "there is no file")])
def test_a_file_that_cannot_be_used(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "a.env").write_bytes(content)
    with pytest.raises(UsageError, match=words):
        environment(tmp_path, "    env_file: a.env\n")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        environment(tmp_path, "    env_file: .\n")
