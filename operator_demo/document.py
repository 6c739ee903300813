"""YAML read so that every complaint can name the file, the place and the line.

The tree of nodes is kept (PyYAML's pure Python composer) instead of being turned into plain values, because a plain
value no longer knows where it stood.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import yaml

from operator_demo.errors import UsageError
from operator_demo.interpolate import interpolate

_YAML = "tag:yaml.org,2002:"
_MERGE = _YAML + "merge"
_SCALARS = {_YAML + t for t in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value")}
# PyYAML follows YAML 1.1, where yes and no are booleans; Compose follows 1.2, where only these are.
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_MAX_DEPTH = 100

T = TypeVar("T")


@dataclass
class Document:
    """One file: its name for complaints, and the variables for ${...}; with `plain`, a $ is a character like others.
    `hint` says where the known keys are listed."""

    file: str
    env: Mapping[str, str]
    plain: bool = False
    hint: str = "docs/compose.md lists the keys that are."
    # Merged maps, by node: aliases of aliases would otherwise take exponential time.
    flat: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = field(default_factory=dict)


def read_document(text: str, file: str, env: Mapping[str, str]) -> "Value":
    """Raises UsageError for what is no YAML."""
    return read(text, Document(file, env))


def read(text: str, document: Document) -> "Value":
    """Raises UsageError for what is no YAML."""
    file = document.file
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        raise UsageError(f"{file}:{line}: not valid YAML: {e.problem}") from e
    except (yaml.YAMLError, ValueError) as e:
        raise UsageError(f"{file}: not valid YAML: {' '.join(str(e).split())}") from e
    except RecursionError as e:
        raise UsageError(f"{file}: nested too deeply") from e
    if root is None:
        raise UsageError(f"{file}: the file is empty")
    return Value(root, (), document)


@dataclass(frozen=True)
class Value:
    """One node with its place in the file, read by the type that is expected there."""

    node: yaml.Node
    path: tuple[str, ...]
    document: Document

    @property
    def line(self) -> int:
        return int(self.node.start_mark.line) + 1

    @property
    def where(self) -> str:
        """`service web: ports` for people, from the path services.web.ports."""
        kinds = {"services": "service", "networks": "network", "volumes": "volume", "secrets": "secret",
                 "configs": "config"}
        if len(self.path) >= 2 and self.path[0] in kinds:
            rest = ".".join(self.path[2:])
            return f"{kinds[self.path[0]]} {self.path[1]}" + (f": {rest}" if rest else "")
        return ".".join(self.path)

    def fail(self, problem: str, hint: str = "", *, line: int | None = None) -> NoReturn:
        place = f"{self.document.file}:{line or self.line}: "
        raise UsageError(place + (f"{self.where}: " if self.path else "") + problem, hint)

    @property
    def is_null(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode) and self.node.tag == _YAML + "null"

    @property
    def is_map(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self.node, yaml.SequenceNode)

    def map(self, known: Collection[str] | None = None,
            reasons: Mapping[str, str] = MappingProxyType({})) -> dict[str, "Value"]:
        """The entries of a mapping; with `known`, any other key is an error, but for those that begin with x-.

        `reasons` says for some keys why they are not known.
        """
        if not isinstance(self.node, yaml.MappingNode):
            self.fail(f"a mapping is expected here, not {self._kind()}")
        entries = {}
        for key, (key_node, value) in self._flatten(self.node, ()).items():
            if known is not None and key not in known:
                if key.startswith("x-"):
                    continue
                near = [] if key in reasons else get_close_matches(key, known, 1)
                why = f": {reasons[key]}" if key in reasons else f" (did you mean {near[0]!r}?)" if near else ""
                self.fail(f"the key {key!r} is not supported{why}",
                          self.document.hint, line=key_node.start_mark.line + 1)
            entries[key] = Value(value, (*self.path, key), self.document)
        return entries

    def _flatten(self, node: yaml.MappingNode, above: tuple[int, ...]) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Merge keys (<<) resolved: own entries win, then those of the maps merged first."""
        known = self.document.flat.get(id(node))
        if known is not None:
            return known
        if id(node) in above or len(above) > _MAX_DEPTH:
            self.fail("a merge (<<) that contains itself", line=node.start_mark.line + 1)
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.fail("a key must be plain text", line=line)
            if key_node.tag == _MERGE:
                sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for source in sources:
                    if not isinstance(source, yaml.MappingNode):
                        self.fail("<< takes a mapping or a list of mappings", line=line)
                    for key, entry in self._flatten(source, (*above, id(node))).items():
                        merged.setdefault(key, entry)
                continue
            if key_node.value in own:
                self.fail(f"the key {key_node.value!r} is there twice", line=line)
            own[key_node.value] = (key_node, value)
        whole = {**own, **{k: v for k, v in merged.items() if k not in own}}
        self.document.flat[id(node)] = whole
        return whole

    def sequence(self) -> list["Value"]:
        if not isinstance(self.node, yaml.SequenceNode):
            self.fail(f"a list is expected here, not {self._kind()}")
        return [Value(n, (*self.path, str(i)), self.document) for i, n in enumerate(self.node.value)]

    def text(self) -> str:
        """Text or a number, with its variables filled in."""
        raw = self._scalar()
        if self.node.tag == _YAML + "bool" and raw in _TRUE + _FALSE:
            self.fail(f"text is expected here, not the boolean {raw} (write \"{raw}\" for the word)")
        if self.is_null:
            self.fail("text is expected here, not nothing")
        return self._fill_in(raw)

    def _word(self) -> str:
        if self.node.tag == _YAML + "bool" and self._scalar() in _TRUE + _FALSE:
            return self._scalar().lower()
        return self.text()

    def _scalar(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            self.fail(f"text is expected here, not {self._kind()}")
        if self.node.tag not in _SCALARS:
            self.fail(f"the YAML tag {self.node.tag} is not supported")
        return str(self.node.value)

    def _fill_in(self, raw: str) -> str:
        try:
            filled = raw if self.document.plain else interpolate(raw, self.document.env)
        except ValueError as e:
            self.fail(str(e))
        except RecursionError:
            self.fail("variables nested too deeply")
        if "\0" in filled:
            self.fail("a zero byte is not allowed")
        return filled

    def boolean(self) -> bool:
        raw = self._scalar()
        # A quoted "true" is text, unless a variable put it there.
        plain = self.node.tag == _YAML + "bool" or "$" in raw
        filled = self._fill_in(raw)
        if plain and filled in _TRUE:
            return True
        if plain and filled in _FALSE:
            return False
        self.fail(f"true or false is expected here, not {filled!r}")

    def integer(self, least: int = 0) -> int:
        def parse(text: str) -> int:
            digits = text.removeprefix("-")
            if not (digits.isascii() and digits.isdecimal() and len(digits) < 16):
                raise ValueError("a whole number is expected here")
            if int(text) < least:
                raise ValueError(f"at least {least} is expected here")
            return int(text)
        return self.parsed(parse)

    def parsed(self, parse: Callable[[str], T]) -> T:
        """The text through `parse`, whose ValueError becomes a complaint about this place."""
        text = self.text()
        try:
            return parse(text)
        except (ValueError, OverflowError) as e:
            self.fail(f"{e}" if str(e).startswith(repr(text)) else f"{e}, not {text!r}")

    def one_of(self, choices: Collection[str]) -> str:
        text = self.text()
        if text not in choices:
            self.fail(f"{text!r} is none of {', '.join(choices)}")
        return text

    def texts(self) -> list[str]:
        return [entry.text() for entry in self.sequence()]

    def one_or_more(self) -> list["Value"]:
        """A list, or a single entry in place of a list of one."""
        return self.sequence() if self.is_list else [self]

    def pairs(self) -> dict[str, str | None]:
        """`{A: b}` or `[A=b, C]`; a name without a value has None, a boolean is the word."""
        if self.is_map:
            return {k: None if v.is_null else v._word() for k, v in self.map().items()}
        if not self.is_list:
            self.fail(f"a mapping or a list is expected here, not {self._kind()}")
        found: dict[str, str | None] = {}
        for entry in self.sequence():
            name, equals, value = entry.text().partition("=")
            if not name:
                entry.fail("a name is expected before the =")
            found[name] = value if equals else None
        return found

    def _kind(self) -> str:
        if self.is_map:
            return "a mapping"
        if self.is_list:
            return "a list"
        node: Any = self.node
        return "nothing" if self.is_null else f"{str(node.value)[:40]!r}"
