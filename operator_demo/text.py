"""Text from outside: made harmless, freed of secrets, and cut to a size. Done once, where the text comes in."""

import re
from collections.abc import Iterable, Mapping

_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[\]PX^_].*?(?:\x1b\\|\x07|\x9c|$)"  # OSC, DCS, SOS, PM, APC with their text
    r"|\x1b[ -/]*[0-~]"  # the two-byte escapes
    r"|\x9b[0-?]*[ -/]*[@-~]",
    re.DOTALL,
)
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction marks and overrides
    "\u2028\u2029\ufeff\ufff9-\ufffb\ud800-\udfff]"  # other line breaks, byte order mark, annotations, lone surrogates
)
_KEY_SHAPES = re.compile(
    r"sk-ant-[A-Za-z0-9_-]{8,}"
    r"|(?i:authorization:\s*(?:bearer|basic)\s+)\S+"
    r"|(?i:x-api-key:\s*)\S+"
    r"|(?i:\b[A-Z0-9_]*(?:API_KEY|SECRET|PASSWORD|TOKEN)=)[^\s'\"]{6,}"
    r"|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----",
    re.DOTALL,
)
_SECRET_NAMES = re.compile(r"(?i)KEY|SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL")
REDACTED = "[redacted]"


def clean(text: str) -> str:
    """Without terminal sequences, control characters (but tab and newline) and direction marks."""
    text = _SEQUENCES.sub("", text.replace("\r\n", "\n"))
    return _CONTROLS.sub("", text.replace("\r", "\n"))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """With the given secrets, and what looks like a key, a password or a token, replaced."""
    for secret in secrets:
        if len(secret) >= 6:
            text = text.replace(secret, REDACTED)
    return _KEY_SHAPES.sub(_keep_name, text)


def secrets_of(environment: Mapping[str, str]) -> list[str]:
    """The values of those variables whose names say that they are secret."""
    return [value for name, value in environment.items() if value and _SECRET_NAMES.search(name)]


def _keep_name(match: re.Match[str]) -> str:
    whole = match.group()
    for separator in (": ", ":", "="):
        name, found, _ = whole.partition(separator)
        if found and not whole.startswith("-----"):
            return name + separator + REDACTED
    return REDACTED


def cut(text: str, limit: int) -> tuple[str, int]:
    """`text` in at most about `limit` bytes of UTF-8, head and tail kept; and the number of bytes left out."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit:
        return text, 0
    half = limit // 2
    head = raw[:half].decode("utf-8", "ignore")
    tail = raw[-half:].decode("utf-8", "ignore")
    omitted = len(raw) - len(head.encode()) - len(tail.encode())
    return f"{head}\n[... {omitted} bytes left out ...]\n{tail}", omitted


def one_line(text: str, width: int) -> str:
    """The first line of `text`, at most `width` characters long."""
    first = " ".join(text.split())
    return first if len(first) <= width else first[: max(width - 1, 0)] + "…"
