"""Blocks of text on a terminal or into a pipe: tables, facts, notes. Knows nothing of lending.

On a terminal: colour, and a table too wide for it becomes a list of records. In a pipe: plain aligned text, never cut.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TextIO

from .pager import paged

GAP = "  "
#: Columns that text keeps when its column gives way.
ROOM = 24
#: Rows of a table that a terminal shows where there is no pager; a pipe gets all.
MOST = 200


PROSE = 100


@dataclass(frozen=True, slots=True)
class Note:
    """A line or a few; kept as they are, so that a command can be copied, unless they are ``prose`` to be wrapped."""

    text: str
    style: str = ""
    prose: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Labels with one value each."""

    title: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column; numbers stand right."""

    label: str
    right: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under labels; ``empty`` is said when there are none, ``more`` of the ``left`` that are not shown."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str = ""
    more: str = ""
    left: int = 0


Block = Note | Facts | Table


def print_blocks(blocks: Iterable[Block], stream: TextIO, *, whole: bool = True) -> None:
    """Write the blocks, an empty line between them; a *whole* answer may go through the pager, a part of one never."""
    if not stream.isatty():
        stream.write(as_text(blocks))
        return
    blocks = tuple(blocks)
    width = max(shutil.get_terminal_size((100, 24)).columns, 20)
    drawn = as_text if os.environ.get("NO_COLOR") else _in_colour
    if not (whole and paged(drawn(blocks, width), stream)):
        stream.write(drawn([_shortened(block) for block in blocks], width))


def as_text(blocks: Iterable[Block], width: int | None = None) -> str:
    """The blocks as plain aligned text, without *width* never cut or broken."""
    return "\n".join(_plain(block, width) for block in blocks)


def _shortened(block: Block) -> Block:
    """A table of which a screen shows the beginning, and how many rows are left."""
    if not isinstance(block, Table) or len(block.rows) <= MOST:
        return block
    return replace(block, rows=block.rows[:MOST], left=len(block.rows) - MOST)


def _in_colour(blocks: Sequence[Block], width: int) -> str:
    from rich.console import Console
    from rich.text import Text

    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, force_terminal=True)
    for place, block in enumerate(blocks):
        if place:
            console.print()
        for line, style in _lines(block, width):
            console.print(Text(line, style=style), soft_wrap=True)
    return stream.getvalue()


def _plain(block: Block, width: int | None) -> str:
    return "".join(f"{line}\n" for line, _ in _lines(block, width))


def _lines(block: Block, width: int | None) -> list[tuple[str, str]]:
    """Every line with its style, no line wider than *width* where that can be had."""
    if isinstance(block, Note):
        room = min(width or PROSE, PROSE) if block.prose else None
        return [(line, block.style) for line in _wrapped(block.text, room)]
    title = [(block.title, "bold")] if block.title else []
    if isinstance(block, Facts):
        return title + _fact_lines(block.rows, width)
    return title + _table_lines(block, width)


def _table_lines(table: Table, width: int | None) -> list[tuple[str, str]]:
    if not table.rows:
        return [(table.empty, "dim")] if table.empty else []
    if width is None:
        return _drawn(table, _widths(table))
    table = _without_empty_columns(table)
    widths = _fitted(table, width)
    lines = _drawn(table, widths) if widths else _record_lines(table, width)
    return [*lines, (f"… {table.left} {table.more}".rstrip(), "dim")] if table.left else lines


def _drawn(table: Table, widths: Sequence[int]) -> list[tuple[str, str]]:
    head = _row_lines(_labels(table), widths, table.columns)
    body = [line for row in table.rows for line in _row_lines(row, widths, table.columns)]
    return [*((line, "dim") for line in head), *((line, "") for line in body)]


def _row_lines(row: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> list[str]:
    """A row; a cell wider than its column goes on below itself."""
    wrapped = [_wrapped(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
    lines = []
    for cells in zip_longest(*wrapped, fillvalue=""):
        padded = [_padded(c, w, column.right) for c, w, column in zip(cells, widths, columns, strict=True)]
        lines.append(GAP.join(padded).rstrip())
    return lines


def _without_empty_columns(table: Table) -> Table:
    kept = [place for place in range(len(table.columns)) if any(row[place] for row in table.rows)]
    rows = tuple(tuple(row[place] for place in kept) for row in table.rows)
    return replace(table, columns=tuple(table.columns[place] for place in kept), rows=rows)


def _fitted(table: Table, width: int) -> list[int]:
    """Widths that fit, the widest breakable column giving way first; empty when they cannot."""
    widths, least = _widths(table), _least_widths(table)
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    while excess > 0:
        place = max(range(len(widths)), key=lambda p: widths[p] - least[p])
        if widths[place] <= least[place]:
            return []
        widths[place] -= 1
        excess -= 1
    return widths


def _least_widths(table: Table) -> list[int]:
    """As narrow as a column may get: words, ids and numbers stay whole, text keeps some room."""
    columns = zip(table.columns, *table.rows, strict=True)
    return [_least_width(column, cells) for column, *cells in columns]


def _least_width(column: Column, cells: Sequence[str]) -> int:
    widest = max(cell_width(cell) for cell in cells)
    label = _widest_piece(column.label)
    if column.right:
        return max(widest, label)
    return max(label, min(widest, ROOM), *map(_widest_piece, cells))


def _widest_piece(text: str) -> int:
    """The room below which *text* cannot be broken: its longest word, such as an id."""
    return max((cell_width(piece.strip()) for piece in _breakable(text)), default=0)


def _record_lines(table: Table, width: int) -> list[tuple[str, str]]:
    """A table too wide for the terminal, row by row as facts."""
    lines: list[tuple[str, str]] = []
    for place, row in enumerate(table.rows):
        if place:
            lines.append(("─" * min(width, 20), "dim"))
        lines += _fact_lines(tuple((a, b) for a, b in zip(_labels(table), row, strict=True) if b), width)
    return lines


def _fact_lines(rows: Sequence[tuple[str, str]], width: int | None) -> list[tuple[str, str]]:
    indent = max((cell_width(label) for label, _ in rows), default=0)
    if width is not None:
        indent = min(indent, width // 2)
    lines: list[tuple[str, str]] = []
    for label, value in rows:
        room = None if width is None else max(width - indent - len(GAP), 10)
        if room and width and (cell_width(label) > indent or _widest_piece(value) > room):
            lines += [(line, "") for line in _on_lines_of_its_own(label, value, width)]
            continue
        first, *rest = _wrapped(value, room) or [""]
        lines.append((f"{_padded(label, indent)}{GAP}{first}".rstrip(), ""))
        lines += [(f"{' ' * indent}{GAP}{line}", "") for line in rest]
    return lines


def _on_lines_of_its_own(label: str, value: str, width: int) -> list[str]:
    """A label, and below it a value that has no room beside it."""
    indent = label[: len(label) - len(label.lstrip())] + GAP
    return [*_wrapped(label, width), *(f"{indent}{line}" for line in _wrapped(value, width - len(indent)))]


def _labels(table: Table) -> tuple[str, ...]:
    return tuple(column.label for column in table.columns)


def _widths(table: Table) -> list[int]:
    columns = zip(_labels(table), *table.rows, strict=True)
    return [max(cell_width(cell) for cell in column) for column in columns]


def _padded(text: str, width: int, right: bool = False) -> str:
    space = " " * max(width - cell_width(text), 0)
    return space + text if right else text + space


def cell_width(text: str) -> int:
    """Columns *text* takes on a screen: a Chinese character takes two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _wrapped(text: str, width: int | None) -> list[str]:
    """*text* in lines of at most *width* columns; words stay whole where they fit, Chinese breaks anywhere."""
    lines: list[str] = []
    for line in text.splitlines():
        lines += [line] if width is None or cell_width(line) <= width else _broken(line, width)
    return lines


def _broken(line: str, width: int) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    lines, current = [], indent
    for word in _breakable(line.strip()):
        if cell_width(current + word.rstrip()) > width and current.strip():
            lines.append(current.rstrip())
            current = indent
        current += word
    return [*lines, current.rstrip()]


def _breakable(text: str) -> list[str]:
    """Pieces between which a line may be broken."""
    pieces: list[str] = []
    for character in text:
        glued = pieces and character.isascii() and pieces[-1].isascii() and not pieces[-1].endswith(" ")
        if glued or (pieces and character in " ，。；：、）”"):
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces
