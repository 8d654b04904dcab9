"""Charts of accounts: what each account of a position is called in the lender's books, as configuration.

Two presets are shipped: ``chart-zh.toml`` with the account names and codes usual at Chinese micro-loan companies, and
``chart-en.toml``. A lender copies one and changes names and codes. Source: SEMANTICS 6; the Chinese names follow the
application guide of the accounting standards for enterprises (企业会计准则应用指南), the codes are house choices where
the guide names none.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import InvalidFile, InvalidSetting
from .position import ACCOUNTS
from .provisions import PROVISION_ACCOUNTS

Kind = Literal["Assets", "Liabilities", "Equity", "Income", "Expenses"]
LEDGER_ACCOUNTS = (*ACCOUNTS, *PROVISION_ACCOUNTS)


class Account(BaseModel):
    """An account of the lender's books: its code, its name, and the kind of account it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,20}$")]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    kind: Kind
    memo: bool = False  # off the balance sheet


class Chart(BaseModel):
    """A chart of accounts: one account for every key a position can have.

    Raises InvalidSetting from :meth:`parse` when a key is missing, unknown, or two keys share a code.

    >>> Chart.preset("zh").accounts["principal"].name
    '贷款本金'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    accounts: dict[str, Account]

    @model_validator(mode="after")
    def _complete(self) -> Chart:
        missing = [key for key in LEDGER_ACCOUNTS if key not in self.accounts]
        unknown = sorted(set(self.accounts) - set(LEDGER_ACCOUNTS))
        if missing or unknown:
            reason = "has no account" if missing else "is no account of the ledger"
            raise InvalidSetting(field="chart", value=(missing or unknown)[0], reason=reason)
        codes = [account.code for account in self.accounts.values()]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise InvalidSetting(field="chart", value=twice[0], reason="two accounts share this code")
        return self

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Chart:
        """A chart from the mapping of its TOML file."""
        try:
            return cls.model_validate(dict(given))
        except ValidationError as fault:
            first = fault.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise InvalidSetting(field=field, value=str(first["input"])[:80], reason=first["msg"]) from None

    @classmethod
    def load(cls, path: Path | str) -> Chart:
        """A chart from a TOML file. Raises InvalidFile, InvalidSetting."""
        try:
            return cls.parse(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
            raise InvalidFile(code="unreadable_file", file=str(path), reason=reason) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidFile(file=str(path), reason=f"is no TOML file: {error}") from None

    @classmethod
    def preset(cls, language: str) -> Chart:
        """The shipped chart: ``en`` or ``zh``."""
        if language not in ("en", "zh"):
            raise InvalidSetting(
                field="chart", value=language, reason="shipped are en and zh; give a file for another"
            )
        return _preset(language)


@lru_cache(maxsize=2)
def _preset(language: str) -> Chart:
    text = files(__package__).joinpath(f"chart-{language}.toml").read_text(encoding="utf-8")
    return Chart.parse(tomllib.loads(text))
