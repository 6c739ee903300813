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
D = TypeVar("D")


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


def read(text: str, document: Document) -> "Value":
    """Raises UsageError for what is no YAML."""
    file = document.file
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        if e.context == "expected a single document in the stream":
            raise UsageError(f"{file}:{line}: a second YAML document begins here",
                             "Put everything into one document, without a line `---` in between.") from e
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

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said: no value, an empty text (also by its variables), or a collection without entries."""
        if isinstance(self.node, yaml.CollectionNode):
            return not self.node.value
        return self.is_null or self._fill_in(self._scalar()) == ""

    def map(self, known: Collection[str] | None = None,
            reasons: Mapping[str, str] = MappingProxyType({})) -> "Entries":
        """The entries of a mapping; with `known`, any other key is an error, but for those that begin with x-.

        `reasons` are keys that exist elsewhere and are not supported here, each with the reason or "". Without a
        value such a key asks for nothing, and is left out.
        """
        if not isinstance(self.node, yaml.MappingNode):
            self.fail(f"a mapping is expected here, not {self._kind()}")
        entries = Entries()
        for key, (key_node, node) in self._flatten(self.node, ()).items():
            value = Value(node, (*self.path, key), self.document)
            if known is None or key in known:
                entries[key] = value
            elif key in reasons:
                if not value.is_empty:
                    self._refuse(key, key_node, f": {reasons[key]}" if reasons[key] else "")
            elif not key.startswith("x-"):
                near = get_close_matches(key, known, 1)
                self._refuse(key, key_node, f" (did you mean {near[0]!r}?)" if near else "")
        return entries

    def _refuse(self, key: str, key_node: yaml.Node, why: str) -> NoReturn:
        self.fail(f"the key {key!r} is not supported{why}", self.document.hint, line=key_node.start_mark.line + 1)

    def _flatten(self, node: yaml.MappingNode, above: tuple[int, ...]) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Merge keys (<<) resolved: own entries win, then those of the maps merged first."""
        known = self.document.flat.get(id(node))
        if known is not None:
            return known
        if id(node) in above or len(above) > _MAX_DEPTH:
            self.fail("a merge (<<) that contains itself", line=node.start_mark.line + 1)
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merge: tuple[yaml.Node, yaml.Node] | None = None
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.fail("a key must be plain text", line=line)
            if key_node.tag == _MERGE:
                if merge:
                    self.fail("the key '<<' is there twice", "Give all that is merged as one list: <<: [*a, *b]",
                              line=line)
                merge = (key_node, value)
            elif key_node.value in own:
                self.fail(f"the key {key_node.value!r} is there twice", line=line)
            else:
                own[key_node.value] = (key_node, value)
        if merge:
            self._add_merged(own, *merge, (*above, id(node)))
        self.document.flat[id(node)] = own
        return own

    def _add_merged(self, entries: dict[str, tuple[yaml.Node, yaml.Node]], key_node: yaml.Node, value: yaml.Node,
                    above: tuple[int, ...]) -> None:
        for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if not isinstance(source, yaml.MappingNode):
                self.fail("<< takes a mapping or a list of mappings", line=key_node.start_mark.line + 1)
            for key, entry in self._flatten(source, above).items():
                entries.setdefault(key, entry)

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
        """true or false, in quotes or not."""
        filled = self._fill_in(self._scalar())
        if filled in _TRUE:
            return True
        if filled in _FALSE:
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

    def text_pairs(self) -> dict[str, str]:
        """As `pairs`; a name without a value has an empty text."""
        return {name: value or "" for name, value in self.pairs().items()}

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
        pairs: dict[str, str | None] = {}
        for entry in self.sequence():
            name, equals, value = entry.text().partition("=")
            if not name:
                entry.fail("a name is expected before the =")
            pairs[name] = value if equals else None
        return pairs

    def _kind(self) -> str:
        if self.is_map:
            return "a mapping"
        if self.is_list:
            return "a list"
        node: Any = self.node
        return "nothing" if self.is_null else f"{str(node.value)[:40]!r}"


class Entries(dict[str, Value]):
    """The entries of a mapping by their keys. For `read`, a key without a value counts as not given; for `text` and
    `parsed`, one with an empty text does too."""

    def read(self, key: str, read: Callable[[Value], T], default: D) -> T | D:
        value = self.get(key)
        return default if value is None or value.is_null else read(value)

    def text(self, key: str) -> str | None:
        return self.read(key, Value.text, "") or None

    def map(self, key: str, known: Collection[str], reasons: Mapping[str, str] = MappingProxyType({})) -> "Entries":
        return self.read(key, lambda value: value.map(known, reasons), Entries())

    def parsed(self, key: str, parse: Callable[[str], T], default: D) -> T | D:
        """The text through `parse`, whose ValueError becomes a complaint about the place."""
        value = self.get(key)
        return default if value is None or value.is_empty else value.parsed(parse)
