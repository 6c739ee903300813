"""Compose's ${VARIABLE} in values."""

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def interpolate(text: str, env: Mapping[str, str]) -> str:
    """Fills in `$NAME`, `${NAME}`, and with a colon (counting empty as not set) or without: `${NAME:-default}`,
    `${NAME:+instead}`, `${NAME:?message}`; `$$` is a dollar, and so is a `$` that none of these begins with.

    What stands after the operator may hold variables and pairs of braces itself. Unlike Compose, which warns and goes
    on with nothing, a variable that is not set is an error. Raises ValueError.
    """
    out: list[str] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        out.append(text[at:dollar])
        if text.startswith("${", dollar):
            end = _closing_brace(text, dollar + 2)
            out.append(_expand(text[dollar + 2:end], env))
            at = end + 1
        elif name := _NAME.match(text, dollar + 1):
            out.append(_value(name[0], env))
            at = name.end()
        else:
            out.append("$")
            at = dollar + (2 if text.startswith("$$", dollar) else 1)
    out.append(text[at:])
    return "".join(out)


def _closing_brace(text: str, at: int) -> int:
    """Where the brace is that closes the one before `at`. Where the braces are not in pairs: the last of the text, as
    with Compose (`${NAME:-{}` is the default `{`)."""
    depth = 1
    for place in range(at, len(text)):
        if text[place] == "{":
            depth += 1
        elif text[place] == "}":
            depth -= 1
            if depth == 0:
                return place
    last = text.rfind("}", at)
    if last < 0:
        raise ValueError(f"a ${{ without its }} in {text!r}")
    return last


def _expand(inside: str, env: Mapping[str, str]) -> str:
    found = _NAME.match(inside)
    if not found:
        raise ValueError(f"${{{inside}}} does not begin with the name of a variable")
    name, rest = found[0], inside[found.end():]
    if not rest:
        return _value(name, env)
    unset = not env.get(name) if rest.startswith(":") else name not in env
    operator, operand = rest.removeprefix(":")[:1], rest.removeprefix(":")[1:]
    if operator == "-":
        return interpolate(operand, env) if unset else env[name]
    if operator == "+":
        return "" if unset else interpolate(operand, env)
    if operator == "?":
        if unset:
            raise ValueError(f"{name} is needed: {interpolate(operand, env) or 'it is not set'}")
        return env[name]
    raise ValueError(f"${{{inside}}} is not understood (known: ${{A}}, ${{A:-x}}, ${{A-x}}, ${{A:+x}}, ${{A+x}}, "
                     "${A:?x}, ${A?x})")


def _value(name: str, env: Mapping[str, str]) -> str:
    if name not in env:
        raise ValueError(f"the variable {name} is not set (write ${{{name}:-}} where it may be empty)")
    return env[name]
