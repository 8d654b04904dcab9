"""How a platform's export is laid out: its names for our columns, its status words, its way to write times and money.

name = "taobao"
source = "unverified"                # or the address where the layout is documented
encoding = "gb18030"
date_format = ["%Y-%m-%d %H:%M:%S"]  # strptime codes, tried in turn; ISO 8601 is always understood
[columns]                            # ours = theirs, or several names of which the file has one
order_id = "订单编号"
paid_at = ["订单付款时间", "付款时间"]
[status]                             # theirs = ours, or unpaid: no sale; closed: cancelled if it was paid, else no sale
"交易成功" = "completed"
"等待买家付款" = "unpaid"
[fixed]                              # for columns the export does not have
shop_id = "shop-1"
[cells]                              # ="123", '123 and a tab before or behind it are what Excel made of 123
excel = true
[money]                              # what may stand around an amount and inside it
signs = ["¥"]
thousands = ","

The shipped mappings lie in the folder ``platforms``; docs/platforms.md explains all of this with an example.
"""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from ..errors import InvalidFile
from ..money import currency_digits

M = TypeVar("M", bound=BaseModel)
Column = Literal[
    "order_id", "shop_id", "paid_at", "amount", "amount_minor", "status", "line_id", "platform", "refund_amount",
    "refund_minor", "refunded_at", "status_at", "buyer_id", "settled_at", "product_id", "currency",
]  # fmt: skip
COLUMNS: tuple[str, ...] = get_args(Column)
#: What a platform's word may mean: one of our five statuses; an order never paid; cancelled if it was paid, else never paid.
Status = Literal["paid", "shipped", "completed", "refunded", "cancelled", "unpaid", "closed"]
_NEEDED = {
    "orders": ("order_id", "paid_at", "amount", "status"),
    "daily_totals": ("paid_at", "amount"),
    "settlement_documents": ("order_id", "paid_at", "amount"),
}
_FIXABLE = ("shop_id", "status", "platform", "currency", "line_id")
_PLATFORMS = files(__package__) / "platforms"
#: Platforms whose export is another's.
_SAME = {"tmall": "taobao", "pdd": "pinduoduo"}


def _listed(given: Any) -> Any:
    """One text may stand for a list of one."""
    return (given,) if isinstance(given, str) else given


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Money(_Part):
    """What an amount is written with besides digits; nothing of it is taken unless it is said here.

    ``signs`` may stand before or behind an amount, ``thousands`` between groups of three digits, ``decimal`` before the
    digits of the minor unit.
    """

    signs: Texts = ()
    thousands: Literal["", ",", ".", " ", "'"] = ""
    decimal: Literal[".", ","] = "."

    @model_validator(mode="after")
    def _two_marks(self) -> Money:
        if self.thousands == self.decimal:
            raise ValueError(f"thousands and decimal are both {self.decimal!r}; an amount could not be read")
        return self


class Cells(_Part):
    """How cells are wrapped: ``excel``, protected against Excel; ``masked``, a character that only an unreadable buyer has."""

    excel: bool = False
    masked: str = Field(default="", max_length=1)


class RowRules(_Part):
    """Rows that are not orders: with ``continuation``, a row of the same order as the row before whose cell in that
    column is empty lists one more article; the order's figures stand in its first row alone.
    """

    continuation: str | None = None


class Entries(_Part):
    """Signed entries that are summed per order: the column that says what an entry is, and which words are a sale, a refund.

    ``only``: entries count only where each of these columns holds one of its words; the others, such as fees, are left out.
    """

    kind: str
    sale: Names
    refund: Texts = ()
    only: dict[str, Names] = {}


class Mapping(_Part):
    """The layout of one platform's export; the empty one is the layout of the contract.

    ``columns`` says which of their columns holds ours, ``status`` what their words mean, ``fixed`` what a column they do not
    have stands at in every row. ``holds``: whether a row is an order line, a shop's day or a settlement document.
    """

    name: str = "contract"
    title: str = ""
    export: str = ""
    source: str = "unverified"
    holds: Literal["orders", "daily_totals", "settlement_documents"] = "orders"
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    date_format: Texts = ()
    time_zone: str | None = None
    currency: str | None = None
    columns: dict[Column, Names] = {}
    status: dict[str, Status] = {}
    fixed: dict[Column, str] = {}
    cells: Cells = Cells()
    money: Money = Money()
    rows: RowRules = RowRules()
    entries: Entries | None = None

    @field_validator("fixed")
    @classmethod
    def _only_fixable(cls, fixed: dict[Column, str]) -> dict[Column, str]:
        wrong = sorted(set(fixed) - set(_FIXABLE))
        if wrong:
            raise ValueError(f"{wrong[0]} differs from row to row, only {', '.join(_FIXABLE)} can be fixed")
        return fixed

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        return checked_encoding(encoding)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str | None) -> str | None:
        try:
            return zone and ZoneInfo(zone).key
        except (OSError, ValueError, LookupError):
            raise ValueError(f"there is no time zone {zone!r}; write for instance Asia/Shanghai") from None

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, currency: str | None) -> str | None:
        if currency is not None:
            currency_digits(currency)
        return currency

    @model_validator(mode="after")
    def _entries_have_no_lines(self) -> Mapping:
        if self.entries and self.rows.continuation:
            raise ValueError("a file of entries has no continuation rows; leave out rows.continuation")
        return self

    def theirs(self, ours: str) -> tuple[str, ...]:
        """What the platform may call one of our columns."""
        columns: Dictionary[str, tuple[str, ...]] = self.columns  # type: ignore[assignment]
        return columns.get(ours, (ours,))

    def read_columns(self) -> set[str]:
        """Every column of theirs that is looked at."""
        named = {name for ours in COLUMNS for name in self.theirs(ours)}
        if self.rows.continuation:
            named.add(self.rows.continuation)
        return named | ({self.entries.kind, *self.entries.only} if self.entries else set())

    @property
    def required(self) -> tuple[str, ...]:
        """Our columns that this layout cannot do without, the shop's and the platform's aside."""
        needed = _NEEDED[self.holds if self.entries is None else "settlement_documents"]
        return tuple(ours for ours in needed if ours not in self.fixed)

    def fits(self, header: Sequence[str]) -> bool:
        """Whether a header has every column that this layout cannot do without."""
        held = {ours for ours in COLUMNS if not set(self.theirs(ours)).isdisjoint(header)}
        if "amount_minor" in held:
            held.add("amount")
        return held.issuperset(self.required)

    @classmethod
    def read(cls, file: str | Path) -> Mapping:
        """The mapping in a TOML file. Raises InvalidFile naming the first thing that is wrong, and its line."""
        return read_model(cls, file)

    @classmethod
    def of_text(cls, text: str, file: str) -> Mapping:
        """The mapping that *text* writes down; *file* is what messages call it."""
        return _parsed(cls, text, file)


def read_model(kind: type[M], file: str | Path) -> M:
    """A layout of *kind* from its TOML file. Raises InvalidFile naming the first thing that is wrong, and its line."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise InvalidFile(code="unreadable_file", file=str(file), reason=reason) from None
    except UnicodeDecodeError as error:
        reason = f"is no TOML file: {error}"
        raise InvalidFile(code="invalid_mapping", file=str(file), reason=reason) from None
    return _parsed(kind, text, str(file))


def _parsed(kind: type[M], text: str, file: str) -> M:
    try:
        return kind.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InvalidFile(code="invalid_mapping", file=file, reason=f"is no TOML file: {error}") from None
    except ValidationError as error:
        raise InvalidFile(code="invalid_mapping", file=file, reason=_first_fault(error, text)) from None


def _first_fault(error: ValidationError, text: str) -> str:
    """Where the first thing is that is wrong, and what: ``line 4: columns.order: …``."""
    from ..underwriting.policy import line_of

    first = error.errors()[0]
    place = [
        part for part in first["loc"] if not (isinstance(part, str) and part in ("[key]", "function-before"))
    ]
    line = line_of(text, place)
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        what = "is not a setting of a mapping"
    elif "[key]" in first["loc"]:
        what = f"is not one of our columns: {', '.join(COLUMNS)}"
    return (f"line {line}: " if line else "") + (f"{'.'.join(map(str, place))}: " if place else "") + what


def shipped_names() -> tuple[str, ...]:
    """The names of the shipped mappings.

    >>> "jd" in shipped_names()
    True
    """
    return tuple(
        sorted(
            file.name.removesuffix(".toml") for file in _PLATFORMS.iterdir() if file.name.endswith(".toml")
        )
    )


def shipped_text(name: str) -> str:
    """A shipped mapping as its file, comments included; to be copied and changed. *name* is one that :func:`shipped` knows."""
    return (_PLATFORMS / f"{_SAME.get(name, name)}.toml").read_text(encoding="utf-8")


def shipped(name: str) -> Mapping | None:
    """The shipped mapping of a platform, None where there is none.

    >>> shipped("jd").theirs("order_id")[0]
    '订单号'
    """
    name = _SAME.get(name, name)
    if name not in shipped_names():
        return None
    return Mapping.of_text(shipped_text(name), f"{name}.toml")


def mapping_of(given: Mapping | Path | str) -> Mapping:
    """The mapping that was meant: one itself, a file, or the name of a shipped one."""
    if isinstance(given, Mapping):
        return given
    found = shipped(str(given)) if not Path(given).exists() else None
    return found or Mapping.read(given)


def checked_encoding(encoding: str) -> str:
    """*encoding* if Python can read text with it; raises ValueError otherwise.

    >>> checked_encoding("gb18030")
    'gb18030'
    """
    try:
        if "x".encode(encoding).decode(encoding) == "x" and codecs.lookup(encoding).name != "undefined":
            return encoding
    except (LookupError, UnicodeError, TypeError, ValueError):
        pass
    raise ValueError(f"there is no text encoding {encoding!r}; write for instance utf-8 or gb18030")
