"""Reader of the configuration file: YAML with limits, in which every scalar is the text that was written.

YAML 1.1 reads `no` as false, `0123` as 83, `12:30` as 750 and `2026-11-28` as a date. Here all of these are
text, and the settings, whose types are known, convert it as they convert the environment. Aliases and merge
keys work, within
limits: a file of some hundred bytes can otherwise stand for millions of values.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from mien.errors import SettingsError

MOST_BYTES = 1 << 20
_MOST_VALUES = 100_000
_DEEPEST = 20
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_MERGE = "tag:yaml.org,2002:merge"
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq")) | {_MERGE}

Value = str | None | list["Value"] | dict[str, "Value"]


def read_settings_file(path: Path) -> dict[str, Value]:
    """The mapping that a YAML file contains; empty for an empty file.

    Raises:
        SettingsError: the file is too large, is not YAML, is nested too deeply, contains a key twice,
            a tag or something else than settings; names file, line and what was expected.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise SettingsError(f"{path}: larger than {MOST_BYTES >> 20} MB, which is not a configuration file")
    try:
        _check_depth(content)
        node = yaml.compose(content, _Loader)
        value = _Converter().convert(node) if node else {}
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}:" if error.problem_mark else ""
        raise SettingsError(f"{path}:{line} not YAML: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        raise SettingsError(f"{path}: not YAML: byte {error.position}: expected UTF-8 text") from None
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"{path}: not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(value, dict):
        raise SettingsError(f"{path}: expected settings as `name: value`, one per line")
    return value


class _Loader(yaml.SafeLoader):
    """Resolves nothing but merge keys: plain scalars stay text."""

    yaml_implicit_resolvers = {"<": [(_MERGE, re.compile(r"<<$"))]}  # noqa: RUF012 - as in the base class


def _check_depth(content: bytes) -> None:
    """Check the nesting before anything is built: libraries and this module descend recursively."""
    depth = 0
    for event in yaml.parse(content, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise _error("nested too deeply", event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Converter:
    """Converts nodes to values; counts them, since a node that is referred to n times becomes n values."""

    def __init__(self) -> None:
        self._values = 0

    def convert(self, node: yaml.Node, depth: int = 0) -> Value:
        """The value of a node; raises MarkedYAMLError."""
        self._values += 1
        if self._values > _MOST_VALUES or depth > _DEEPEST:
            raise _error("aliases that stand for too many values", node.start_mark)
        if node.tag not in _PLAIN_TAGS:
            raise _error(f"the tag {node.tag} is not supported", node.start_mark)
        if isinstance(node, yaml.SequenceNode):
            return [self.convert(each, depth + 1) for each in node.value]
        if isinstance(node, yaml.MappingNode):
            return self._convert_mapping(node, depth)
        text = str(node.value)
        is_plain = isinstance(node, yaml.ScalarNode) and not node.style
        return None if is_plain and text in _NULLS else text

    def _convert_mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Value]:
        own: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                for each in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    found = self.convert(each, depth + 1)
                    if not isinstance(found, dict):
                        raise _error("<< merges mappings alone", each.start_mark)
                    merged = found | merged
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise _error("expected a name before the colon", key.start_mark)
            if key.value in own:
                raise _error("a name occurs twice in one mapping", key.start_mark)
            own[str(key.value)] = self.convert(value, depth + 1)
        return merged | own


def _error(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
