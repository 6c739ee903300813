"""JSON without white space, in ASCII, its keys in their order: the form in which payloads are stored and hashed."""

import json
from collections.abc import Callable
from json import encoder
from typing import Any


def _quick() -> Callable[[Any], str]:
    """`json` makes an encoder in C for each value, which takes longer than the encoding of a small one. Here it is made
    once."""
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:  # an interpreter without it
        return json.JSONEncoder(separators=(",", ":")).encode
    encode = make(None, _no_json, encoder.encode_basestring_ascii, None, ":", ",", False, False, True)
    return lambda value: "".join(encode(value, 0))


def _no_json(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} is no JSON")


to_json = _quick()
