"""The catalogues of texts: gettext files, edited as ``.po`` and compiled by Babel (``make catalogues``).

In ``locale/<language>/LC_MESSAGES``: ``texts`` holds sentences, labels and trade words by key; ``help`` the texts of
``--help``; ``reasons`` the reasons inside errors, by their English text. English has ``texts`` alone.
"""

from __future__ import annotations

from functools import cache
from gettext import GNUTranslations
from pathlib import Path

LOCALE = Path(__file__).parent / "locale"
#: What gettext puts between the context of a text and the text.
CONTEXT = "\x04"


@cache
def catalogue(lang: str, domain: str) -> dict[str, str]:
    """Every text of one catalogue; a text with a context stands under ``context + CONTEXT + text``."""
    with (LOCALE / lang / "LC_MESSAGES" / f"{domain}.mo").open("rb") as file:
        texts = dict(vars(GNUTranslations(file))["_catalog"])  # gettext itself only looks single texts up
    del texts[""]  # the header
    return texts


def entries_of(lang: str, domain: str, context: str) -> dict[str, str]:
    """The texts of one context, by their English text or key."""
    start = context + CONTEXT
    return {
        key.removeprefix(start): text
        for key, text in catalogue(lang, domain).items()
        if key.startswith(start)
    }
