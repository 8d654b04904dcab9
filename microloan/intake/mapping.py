"""How a platform's export is laid out: its names for our columns, its status words, its way to write times, its encoding.

name = "taobao"
encoding = "gb18030"
date_format = "%Y/%m/%d %H:%M"      # strptime codes; without it times are ISO 8601
[columns]                            # ours = theirs
order_id = "订单编号"
[status]                             # theirs = ours
"交易成功" = "completed"
[fixed]                              # for columns the export does not have
shop_id = "shop-1"
"""

from __future__ import annotations

import codecs
import tomllib
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ..errors import InvalidFile

REQUIRED = ("order_id", "shop_id", "paid_at", "amount", "status")
Column = Literal[
    "order_id", "shop_id", "paid_at", "amount", "amount_minor", "status", "line_id", "platform", "refund_amount",
    "refund_minor", "refunded_at", "status_at", "buyer_id", "settled_at", "product_id", "currency",
]  # fmt: skip
COLUMNS: tuple[str, ...] = get_args(Column)
Status = Literal["paid", "shipped", "completed", "refunded", "cancelled"]
_FIXABLE = ("shop_id", "status", "platform", "currency", "line_id")


class Mapping(BaseModel):
    """The layout of one platform's export; the empty one is the layout of the contract.

    ``columns`` says which of their columns holds ours, ``status`` what their words mean, ``fixed`` what a column they do not
    have stands at in every row.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "contract"
    source: str = "unverified"
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    date_format: str | None = None
    columns: dict[Column, str] = {}
    status: dict[str, Status] = {}
    fixed: dict[Column, str] = {}

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

    @classmethod
    def read(cls, file: str | Path) -> Mapping:
        """The mapping in a TOML file. Raises InvalidFile naming the first thing that is wrong."""
        try:
            return cls.model_validate(tomllib.loads(Path(file).read_text(encoding="utf-8")))
        except OSError as error:
            raise InvalidFile(
                code="unreadable_file", file=str(file), reason=f"cannot be read: {error.strerror}"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidFile(
                code="invalid_mapping", file=str(file), reason=f"is no TOML file: {error}"
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InvalidFile(
                code="invalid_mapping", file=str(file), reason=f"{where}: {first['msg']}"
            ) from None


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
