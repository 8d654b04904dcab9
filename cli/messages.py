"""What people read, by key, in English and Chinese. The tests hold both catalogues to the same keys."""

from __future__ import annotations

from typing import Any

from microloan.errors import MicroloanError

from . import messages_en, messages_zh
from .reasons_zh import in_chinese

CATALOGUES = {"en": messages_en.TEXTS, "zh": messages_zh.TEXTS}
LANGUAGES = tuple(CATALOGUES)


class _Fields(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


class Messages:
    """The catalogue of one language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self._texts = CATALOGUES[lang]

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

    def usage(self, said: str) -> str:
        """Why a line cannot be understood; Typer says it in English."""
        return said if self.lang == "en" else in_chinese(said)


def _in_chinese(details: dict[str, Any]) -> dict[str, Any]:
    return {
        name: in_chinese(value) if name in ("reason", "remedy", "explanation", "kind") else value
        for name, value in details.items()
    }
