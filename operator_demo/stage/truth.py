"""The sealed truth: the root cause, fixed before the fault happens and opened at the end.

What is published at once is SHA-256 over the hexadecimal nonce, a newline and the canonical JSON of the truth; anyone
who holds the recorded events can check that it was not changed afterwards.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Truth:
    content: dict[str, Any]
    nonce: str

    @property
    def sha256(self) -> str:
        canonical = json.dumps(self.content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(f"{self.nonce}\n{canonical}".encode()).hexdigest()


def seal(content: dict[str, Any]) -> Truth:
    return Truth(content, secrets.token_hex(32))
