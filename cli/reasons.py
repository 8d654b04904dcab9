"""The reasons inside errors, in Chinese: library and Typer word them in English, the catalogue has each translation.

``{}`` stands for a value, in the order of the English text. A reason that is missing there is shown in English.
"""

from __future__ import annotations

import re
from functools import cache

from .catalogues import entries_of


def in_chinese(text: object) -> str:
    """The reason in Chinese, or as it is where nobody has translated it."""
    for pattern, chinese in _patterns():
        match = pattern.fullmatch(str(text))
        if match:
            return chinese.format(*(in_chinese(part) for part in match.groups()))
    return str(text)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    known = entries_of("zh", "reasons", "usage") | entries_of("zh", "reasons", "reason")
    longest_first = sorted(known.items(), key=lambda pair: -len(pair[0].replace("{}", "")))
    return tuple((_pattern(english), chinese) for english, chinese in longest_first)


def _pattern(english: str) -> re.Pattern[str]:
    return re.compile("(.+)".join(re.escape(part) for part in english.split("{}")), re.DOTALL)
