"""What people read, by key, in English and Chinese. The tests hold both catalogues to the same keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from string import Formatter
from typing import Any

from microloan import errors
from microloan.errors import MicroloanError
from microloan.reports.words import words

from .catalogues import catalogue
from .reasons import in_chinese

LANGUAGES = ("en", "zh")


@cache
def texts_of(lang: str) -> dict[str, str]:
    """Every text of a language: what reports say comes with them; a word of the program's own goes before theirs."""
    return words(lang) | catalogue(lang, "texts")


class _Fields(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


class Messages:
    """The catalogue of one language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self._texts = texts_of(lang)

    def text(self, key: str, **fields: Any) -> str:
        """The sentence of *key* with its fields filled in."""
        return self._texts.get(key, key).format_map(_Fields(fields))

    def word(self, group: str, value: str) -> str:
        """The trade word for a value such as a status; the value itself where there is none."""
        return self._texts.get(f"{group}.{value}", value)

    def label(self, field: str) -> str:
        """The label of a field."""
        return self._texts.get(f"field.{field}", field.replace("_", " "))

    def error(self, error: MicroloanError) -> str:
        """One line: what is wrong, with the value, and what to do."""
        if "reasons" in error.details:
            return self._draw_refused(error.details)
        if self.lang == "en":
            return error.message
        codes = [
            error.code,
            *(kind.__dict__["code"] for kind in type(error).__mro__ if "code" in kind.__dict__),
        ]
        key = next((f"error.{code}" for code in codes if f"error.{code}" in self._texts), None)
        if key is None:
            return error.message
        return self._texts[key].format_map(_Fields(_in_chinese(error.details)))

    def _draw_refused(self, details: dict[str, Any]) -> str:
        """Every reason at once, in the order of the rules."""
        reasons = "; ".join(self.text(f"draw.{reason['code']}", **reason) for reason in details["reasons"])
        return self.text("draw_refused", **{**details, "explanation": reasons})

    def rejected(self, row: Mapping[str, Any]) -> str:
        """A row that was not taken: its line, a stable code, and why."""
        return self.text("rejected", **{**row, "message": self.sentence(row["message"])})

    def sentence(self, said: str) -> str:
        """What the library said of a row or a loan, in this language."""
        if self.lang == "en":
            return said
        for pattern, code in _error_patterns():
            match = pattern.fullmatch(said)
            if match:
                return self.text(f"error.{code}", **_in_chinese(match.groupdict()))
        subject, colon, reason = said.partition(": ")
        told = in_chinese(said)
        return f"{subject}：{in_chinese(reason)}" if colon and told == said else told

    def finding(self, finding: Mapping[str, Any]) -> str:
        """Something verify found, as text."""
        told = {name: self.reason(finding[name]) for name in ("stored", "recomputed")}
        return self.text("finding", **{**finding, **told})

    def reason(self, said: str) -> str:
        """What library or Typer say in English."""
        return said if self.lang == "en" else in_chinese(said)


def _in_chinese(details: dict[str, Any]) -> dict[str, Any]:
    return {
        name: in_chinese(value) if name in ("reason", "remedy", "explanation", "kind") else value
        for name, value in details.items()
    }


@cache
def _error_patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The English sentences of errors, the most particular first, with their codes."""
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type))
    templates = {kind.template: kind.code for kind in kinds if issubclass(kind, MicroloanError)}
    worded = [template for template in templates if _letters(template)]
    return tuple(
        (_pattern(template), templates[template]) for template in sorted(worded, key=_letters, reverse=True)
    )


def _letters(template: str) -> int:
    """How much of a template is always the same."""
    return sum(character.isalpha() for text, *_ in Formatter().parse(template) for character in text)


def _pattern(template: str) -> re.Pattern[str]:
    pattern, seen = "", set()
    for text, field, _, how in Formatter().parse(template):
        value = f"(?P={field})" if field in seen else f"(?P<{field}>.+?)"
        quoted = f"'?{value}'?" if how == "r" else value
        pattern += re.escape(text) + (quoted if field else "")
        seen.add(field)
    return re.compile(pattern, re.DOTALL)
