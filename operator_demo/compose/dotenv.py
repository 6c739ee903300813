"""The files that `env_file` names, and `.env` beside a Compose file, in Compose's dialect."""

import re
from collections import ChainMap
from collections.abc import Mapping
from importlib.resources.abc import Traversable

from operator_demo.errors import UsageError
from operator_demo.interpolate import interpolate

_NAME = re.compile(r"(?:export[ \t]+)?([\w.\[\]-]+)[ \t]*([=:]|\r?\n|\r?\Z)")
_BLANK = re.compile(r"\s*(?:#[^\n]*)?")
_ESCAPE = re.compile(r'\\([abcfnrtv$"\\]|0\d{0,3})')
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\",
            "$": "$$"}


def parse_dotenv(text: str, env: Mapping[str, str]) -> dict[str, str]:
    """The variables of one file. `env` is what its ${VARIABLES} may use besides the lines before, and where a name
    without a value comes from (unset there: left out). Raises ValueError that begins with the line's number."""
    text = text.removeprefix("\ufeff")
    variables: dict[str, str] = {}
    known = ChainMap(dict(env), variables)  # as in Compose, the environment wins over the lines before
    at = _skip(text, 0)
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        try:
            at = _statement(text, at, variables, known)
        except RecursionError:
            raise ValueError(f"line {line}: variables nested too deeply") from None
        except ValueError as e:
            raise ValueError(f"line {line}: {e}") from None
        at = _skip(text, at)
    return variables


def read_dotenv(folder: Traversable, env: Mapping[str, str]) -> dict[str, str]:
    """The variables of `.env` in this folder; none without such a file. Raises `UsageError` with file and line."""
    file = folder / ".env"
    try:
        return parse_dotenv(file.read_text(encoding="utf-8"), env)
    except FileNotFoundError:
        return {}
    except OSError as e:
        raise UsageError(f"{file} cannot be read: {e.strerror}.") from e
    except ValueError as e:
        raise UsageError(f"{file}: {e}") from e


def _skip(text: str, at: int) -> int:
    """The next place that is neither blank nor a comment."""
    while at < len(text):
        blank = _BLANK.match(text, at)
        if blank is None or blank.end() == at:
            break
        at = blank.end()
    return at


def _statement(text: str, at: int, variables: dict[str, str], known: Mapping[str, str]) -> int:
    """Reads one NAME=value into `variables`; where it ends."""
    name = _NAME.match(text, at)
    if name is None:
        raise ValueError(f"NAME=value is expected, not {text[at:].splitlines()[0][:40]!r}")
    if name[2] not in ("=", ":"):
        if name[1] in known:
            variables[name[1]] = known[name[1]]
        return name.end()
    at = name.end()
    while at < len(text) and text[at] in " \t\r":
        at += 1
    quote = text[at:at + 1]
    if quote in ("'", '"'):
        value, at = _quoted(text, at + 1, quote)
        rest, end = text[at:].split("\n", 1)[0], at
        if rest.strip() and not rest.lstrip().startswith("#"):
            raise ValueError(f"nothing is expected after the closing {quote}")
        variables[name[1]] = value if quote == "'" else interpolate(_ESCAPE.sub(_unescape, value), known)
        return end
    value, _, _ = text[at:].partition("\n")
    variables[name[1]] = interpolate(value.split(" #", 1)[0].rstrip(), known)
    return at + len(value)


def _quoted(text: str, at: int, quote: str) -> tuple[str, int]:
    """What is between the quotes (over several lines if need be), and where it goes on after them."""
    out: list[str] = []
    while at < len(text):
        if text[at] == "\\" and text[at + 1:at + 2] == quote:
            out.append(quote)
            at += 2
        elif text[at] == quote:
            return "".join(out), at + 1
        elif text[at] == "\\" and at + 1 < len(text):
            out.append(text[at:at + 2])
            at += 2
        else:
            out.append(text[at])
            at += 1
    raise ValueError(f"a {quote} is not closed")


def _unescape(escape: re.Match[str]) -> str:
    code = escape[1]
    if code[0] == "0":
        return chr(int(code, 8)) if not set(code) & {"8", "9"} else escape[0]
    return _ESCAPED.get(code, escape[0])
