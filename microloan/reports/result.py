"""What every report is: a frozen value with lines, that can be written as JSON and handed on as a data frame."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..plain import to_json_values
from ..rates import rate_decimal

if TYPE_CHECKING:
    from decimal import Decimal

    import pandas

#: Digits of a share in a report: 0.1234 is 12.34%.
SHARE_DIGITS = 4


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A loan that a report could not count: what is stored of it cannot be read. Every figure lacks it."""

    loan_id: str
    reason: str


class Report:
    """A report as of a day. Amounts are Decimals in major units, shares Decimals rounded to four digits; 1 is the whole.

    ``name`` is what ``book.report`` calls it. ``TABLES`` names its tables; the first is the one a frame is made of.
    ``left_out`` names the damaged loans that no figure of it contains; there are none in a sound book.
    """

    __slots__ = ()
    name: ClassVar[str]
    TABLES: ClassVar[tuple[str, ...]] = ("lines",)
    left_out: tuple[LeftOut, ...]

    def without(self, left_out: Iterable[LeftOut]) -> Self:
        """The same report, which says that it lacks these loans."""
        return replace(self, left_out=tuple(left_out))  # type: ignore[type-var]  # every report is a dataclass

    def to_json(self) -> str:
        """The report as one JSON document, as ``microloan report NAME --json`` prints it."""
        return json.dumps(to_json_values(self), ensure_ascii=False, indent=2)

    def to_frame(self, table: str = "") -> pandas.DataFrame:
        """A table as a pandas frame: amounts stay Decimals (dtype object), days stay dates, no row is left out.

        Raises KeyError for a table the report does not have.
        """
        import pandas

        name = table or self.TABLES[0]
        if name not in self.TABLES:
            raise KeyError(f"{table}: the tables of {self.name} are {', '.join(self.TABLES)}")
        rows = [{f.name: getattr(row, f.name) for f in fields(row)} for row in getattr(self, name)]
        return pandas.DataFrame(rows, dtype=object)


def share(part: int, whole: int) -> Decimal | None:
    """A part of a whole, rounded half-up to four digits; None where there is no whole.

    >>> share(1, 3), share(0, 0)
    (Decimal('0.3333'), None)
    """
    return None if whole <= 0 else rate_decimal(Fraction(max(part, 0), whole), SHARE_DIGITS)


def rows_of(report: Report, table: str = "") -> list[dict[str, Any]]:
    """A report's table as plain JSON values."""
    values: list[dict[str, Any]] = to_json_values(getattr(report, table or report.TABLES[0]))
    return values
