"""Secrets in text: those that are known in this process, and what looks like a key, a password or a token.

Time is linear in the length of the text: every part of a pattern is bounded, or matches at once or not at all.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from operator_demo.fields import MAX_TEXT
from operator_demo.text import clean_counted, escape

REDACTED = "[redacted]"
KNOWN_SECRET = "[redacted: known secret]"
LONGEST_SECRET = 512  # characters that are lost at a cut, since half a secret is not recognised
_SHORTEST = 6  # characters of a known secret; what is shorter stands in other words as well

_WORD = (r"(?:secret|password|passwd|passphrase|credentials?|(?<!cluster[-_])token|\w_pwd"
         r"|(?:api|access|secret|private|signing|encryption)[-_]?key)")
_QUOTED = (r"""\"(?:[^"\\\n]|\\[^\n])*+\"?|'[^'\n]*+'?"""
           r"""|\\{1,4}"(?:[^"\\\n]|\\[^"\\\n])*+(?:\\{1,4}")?""")  # within quotes
_BARE = r"""(?:[^\s'"\\]|\\\S)++"""
_VALUE = rf"(?!\[redacted)({_QUOTED}|{_BARE})"

_NAMED = re.compile(
    r"(?i)("
    rf"{_WORD}[ \t]{{0,4}}=[ \t]{{0,4}}"  # NAME=value
    rf"|{_WORD}:[ \t]{{1,4}}"  # name: value
    rf"|{_WORD}\\{{0,4}}[\"'][ \t]{{0,4}}:[ \t]{{0,4}}(?=\\{{0,4}}[\"'])"  # "name": "value"
    rf"|--(?:[a-z0-9]{{1,20}}-){{0,4}}{_WORD}(?:[ \t]{{1,4}}|[\"'],[ \t]{{0,4}})(?!-)"  # --name value
    r"|authorization[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?(?:bearer|basic|token|digest)[ \t]{1,4}"
    rf"){_VALUE}")
_PASSWORDS_OF_USERS = re.compile(
    r"(://[^\s/:@]{0,256}+:)([^\s/@]{1,256}+)(?=@)"
    r"|((?<![\w.+-])[\w.+-]{1,64}+:)([^\s:@/'\"]{1,128}+)(?=@(?!sha256:)[\w(\[])")
_TOKENS = re.compile(
    r"sk-(?:ant-[\w-]{8,}|[\w-]{20,})"
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}"
    r"|(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{8,}+\.[\w-]*+")  # JSON web token
_PRIVATE_KEYS = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:"
    r"(?:(?!-----)[\w+/=\s\\:,-]){0,16384}+-----END [A-Z ]{0,40}PRIVATE KEY-----"
    r"|(?:(?:\s|\\n){1,4}+[A-Za-z0-9+/=]{20,128})*+)"  # its end is missing
    r"|(?<![A-Za-z0-9+/=])(?:[A-Za-z0-9+/=]{20,128}+\s{1,4}+){1,200}+"  # its beginning is missing
    r"(?:[A-Za-z0-9+/=]{1,19}+\s{1,4}+)?-----END [A-Z ]{0,40}PRIVATE KEY-----")
_SECRET_NAME = re.compile(rf"(?i){_WORD}$")
_ASSIGNMENT = re.compile(r"(\w{1,200})=")
_SECRET_FLAG = re.compile(rf"(?i)--?[\w-]{{0,80}}{_WORD}")
_SECRET_VARIABLE = re.compile(r"(?i)KEY|SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL")
_QUOTE = re.compile(r"\\{0,4}[\"']|")
_PLAIN_WORD = re.compile(r"""(["']?)[\w+/=.,:@%~^-]*\1""")


class KnownSecrets:
    """The secrets of this process, in plain text, hexadecimal and base64 (also within a longer text, on several
    lines)."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = [form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)]
        self._pattern = re.compile("|".join(forms)) if forms else None

    def withhold(self, text: str) -> str:
        """`text` with a mark in the place of each of them."""
        return text if self._pattern is None else self._pattern.sub(KNOWN_SECRET, text)


def _forms(secret: str) -> Iterable[str]:
    """Patterns of the ways in which a secret may be written."""
    yield re.escape(secret)
    raw = secret.encode("utf-8", "surrogatepass")
    yield f"(?i:{raw.hex()})"
    for before in range(3):  # how many bytes stand before it in its first group of three
        whole = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        first = (0, 2, 3)[before]  # characters that also hold bits of what stands before
        last = len(whole) - (1 if (before + len(raw)) % 3 else 0)
        yield r"[\r\n]{0,2}".join(re.escape(c).replace(r"\+", "[+-]").replace("/", "[/_]") for c in whole[first:last])


@dataclass(frozen=True)
class Harmless:
    """Text that may be shown and sent; `removed` counts the characters of terminal sequences that it lost."""

    text: str
    removed: int


class Scrubber:
    """Makes text from outside harmless: cleaned and redacted. `longest` is how many characters `bounded` keeps of a
    text, and `deep` of each text in a JSON value."""

    def __init__(self, secrets: Iterable[str] = (), longest: int = MAX_TEXT) -> None:
        self._known, self._longest = KnownSecrets(secrets), longest

    def __call__(self, raw: str) -> str:
        return self.counted(raw).text

    def counted(self, raw: str) -> Harmless:
        text, removed = clean_counted(raw)
        return Harmless(_redact_shapes(self._known.withhold(text)), removed)

    def deep(self, value: Any) -> Any:
        """The same, for every text inside a JSON value (keys too); what a secret's name or flag stands before is
        replaced as a whole."""
        match value:
            case str():
                return self._value(value)
            case dict():
                return {self._value(str(key)): self._named(str(key), item) for key, item in value.items()}
            case list() | tuple():
                return self._items(value)
            case _:
                return value

    def recorded(self, value: Any) -> Any:
        """A JSON value as it is, but for known secrets; half a character, which cannot be stored, is escaped."""
        match value:
            case str():
                return self._known.withhold(_storable(value))
            case dict():
                return {self.recorded(str(key)): self.recorded(item) for key, item in value.items()}
            case list() | tuple():
                return [self.recorded(item) for item in value]
            case _:
                return value

    def shown_command(self, command: str) -> str:
        """As `shown_command`, without the known secrets."""
        return shown_command(self._known.withhold(command))

    def shown_input(self, given: dict[str, Any]) -> dict[str, Any]:
        """What a tool was called with, for people and for whoever the record is given to."""
        return {self(name): self.shown_command(item) if isinstance(item, str) else self.deep(item)
                for name, item in given.items()}

    def bounded(self, text: str) -> str:
        """`text` made harmless, at most about `longest` characters of it."""
        if len(text) <= self._longest:
            return self(text)
        return self(text[:self._longest + LONGEST_SECRET])[:-LONGEST_SECRET][:self._longest] + "…"

    def _value(self, text: str) -> str:
        assignment = _ASSIGNMENT.match(text)
        if assignment and _SECRET_NAME.search(assignment[1]):
            return f"{assignment[1]}={REDACTED}"
        return self.bounded(text)

    def _named(self, name: str, item: Any) -> Any:
        return REDACTED if isinstance(item, str) and _SECRET_NAME.search(name) else self.deep(item)

    def _items(self, items: Iterable[Any]) -> list[Any]:
        harmless: list[Any] = []
        before: Any = None
        for item in items:
            secret = isinstance(item, str) and isinstance(before, str) and _SECRET_FLAG.fullmatch(before)
            harmless.append(REDACTED if secret else self.deep(item))
            before = item
        return harmless


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """With the given secrets, and what looks like a key, a password or a token, replaced."""
    return _redact_shapes(KnownSecrets(secrets).withhold(text))


def shown_command(command: str) -> str:
    """A command for people: control characters are escaped, and only plain words are redacted, never what a shell
    expands or runs."""
    text = _TOKENS.sub(REDACTED, escape(command))
    text = _NAMED.sub(_hide_plain_word, text)
    return _PASSWORDS_OF_USERS.sub(_hide_plain_word, text)


def secrets_of(environment: Mapping[str, str]) -> list[str]:
    """The values of those variables whose names say that they are secret."""
    return [value for name, value in environment.items() if value and _SECRET_VARIABLE.search(name)]


def _redact_shapes(text: str) -> str:
    text = _PRIVATE_KEYS.sub(REDACTED, text)
    text = _TOKENS.sub(REDACTED, text)
    text = _NAMED.sub(_hide, text)
    return _PASSWORDS_OF_USERS.sub(_hide, text)


def _hide(match: re.Match[str]) -> str:
    """The name stays, and so do the quotes of the value."""
    name, value = (group for group in match.groups() if group is not None)
    quote = _QUOTE.match(value)
    mark = quote.group() if quote else ""
    return f"{name}{mark}{REDACTED}{mark}"


def _hide_plain_word(match: re.Match[str]) -> str:
    name, value = (group for group in match.groups() if group is not None)
    spaced = name.endswith(("= ", "=\t"))  # to a shell, what follows is a command
    return match.group() if spaced or not _PLAIN_WORD.fullmatch(value) else _hide(match)


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
