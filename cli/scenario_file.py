"""Reading a scenario file: YAML or JSON in UTF-8, nothing guessed, nothing constructed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from microloan.errors import InvalidFile

MAX_BYTES = 16_000_000


class _Loader(yaml.SafeLoader):
    """Plain values only; a key given twice is a fault, not a silent choice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is not a word", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_scenario_file(file: Path) -> Any:
    """What the file holds. Raises InvalidFile with the line where it can be named."""
    text = _text(file)
    try:
        return _from_json(text) if file.suffix.lower() == ".json" else yaml.load(text, _Loader)  # noqa: S506
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise InvalidFile(file=str(file), reason=f"{where}{fault.problem or 'not YAML'}") from None
    except (yaml.YAMLError, ValueError) as fault:
        raise InvalidFile(file=str(file), reason=str(fault).splitlines()[0]) from None
    except RecursionError:
        raise InvalidFile(file=str(file), reason="nested too deeply") from None


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            given = stream.read(MAX_BYTES + 1)
    except OSError as fault:
        raise InvalidFile(file=str(file), reason=f"cannot be read: {fault.strerror}") from None
    if len(given) > MAX_BYTES:
        raise InvalidFile(file=str(file), reason="larger than 16 MB, which no scenario is")
    try:
        return given.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise InvalidFile(file=str(file), reason=f"byte {fault.start + 1} is not UTF-8") from None


def _from_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} stands twice")
    return mapping
