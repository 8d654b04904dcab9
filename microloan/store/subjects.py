"""Statements of personal data: where they are, and how they are blanked. None of these columns is part of a hash."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from .cash import CONTRACT
from .chain import sha256
from .lending import Row, at, keyed
from .tables_cash import PROMISES, RECEIPTS
from .tables_integrity import ERASURES
from .tables_lending import COMMANDS, EVENTS, FACILITIES, LOANS, OFFERS
from .tables_merchants import IDENTIFIERS, LINKS, MERCHANTS
from .tables_underwriting import REVIEWS
from .unit import Unit

#: Commands whose stored answer or request hash can tell of a person.
_PERSONAL_COMMANDS = (
    "merchant.add", "merchant.give", "merchant.link", "merchant.identify", "merchant.rate", "sign", "promise",
    "receipt.assign", "receipt.set_aside",
)  # fmt: skip

#: Receipts read together where all that are booked to nobody are looked through.
_AT_ONCE = 1000

_FACILITIES = select(FACILITIES).where(*keyed(FACILITIES, "merchant")).order_by(FACILITIES.c.id)
_OPEN_LOANS = (
    select(LOANS.c.id)
    .where(*keyed(LOANS, "merchant"), LOANS.c.status.not_in(("closed", "cancelled")))
    .order_by(LOANS.c.id)
)
_OPEN_OFFERS = select(OFFERS.c.id).where(*keyed(OFFERS, "merchant"), OFFERS.c.status == "offered")
_LAST_BOOKED = select(func.max(EVENTS.c.booked_on)).where(
    *keyed(EVENTS), EVENTS.c.facility.in_(bindparam("facilities", expanding=True))
)
_LOANS = select(LOANS.c.id).where(*keyed(LOANS, "merchant")).order_by(LOANS.c.id)
_DIGESTS = select(IDENTIFIERS.c.digest).where(*keyed(IDENTIFIERS, "merchant"))
# What was booked to the merchant's contracts, and whatever its registered accounts paid.
_RECEIPTS = (
    select(RECEIPTS)
    .where(RECEIPTS.c.tenant == bindparam("tenant"))
    .where(
        or_(
            RECEIPTS.c.subject.in_(bindparam("subjects", expanding=True)),
            RECEIPTS.c.payer_digest.in_(bindparam("digests", expanding=True)),
        )
    )
)
_NAME = select(MERCHANTS.c.name).where(*keyed(MERCHANTS, "id"))
_UNBOOKED = (
    select(RECEIPTS)
    .where(RECEIPTS.c.tenant == bindparam("tenant"), RECEIPTS.c.reference != "")
    .where(RECEIPTS.c.status.in_(("waiting", "set_aside")))
)
# Letters of scripts that put blanks between words; in the others a name stands in the middle of a text.
_LETTER = r"[0-9a-z\u00c0-\u2dff]"
_BLANK_RECEIPT = (
    update(RECEIPTS)
    .where(RECEIPTS.c.tenant == bindparam("of_tenant"), RECEIPTS.c.id == bindparam("of_id"))
    .values(reference="", payer_digest="", payer_last_four="", reason=bindparam("kept_reason"))
)
_ERASURES = select(ERASURES).where(*keyed(ERASURES, "merchant")).order_by(ERASURES.c.erased_at)
_ADD_ERASURE = insert(ERASURES)
_COMMANDS = (
    select(COMMANDS.c.id, COMMANDS.c.result, COMMANDS.c.request_hash)
    .where(COMMANDS.c.tenant == bindparam("tenant"), COMMANDS.c.operation.in_(_PERSONAL_COMMANDS))
    .where(COMMANDS.c.subject.in_(bindparam("subjects", expanding=True)))
)
_REDACT = (
    update(COMMANDS)
    .where(COMMANDS.c.tenant == bindparam("of_tenant"), COMMANDS.c.id == bindparam("of_id"))
    .values(result=bindparam("answer"), request_hash=bindparam("blank_hash"))
)
_BLANKED = (
    update(MERCHANTS).where(*at(MERCHANTS), MERCHANTS.c.id == bindparam("of_merchant"), MERCHANTS.c.name != "")
    .values(name=""),
    update(FACILITIES).where(*at(FACILITIES, "merchant"), FACILITIES.c.signer != "").values(signer=""),
    update(PROMISES).where(*at(PROMISES, "merchant"), PROMISES.c.note != "").values(note=""),
    update(REVIEWS).where(*at(REVIEWS, "merchant"), REVIEWS.c.note != "").values(note=""),
    update(LINKS).where(
        LINKS.c.tenant == bindparam("of_tenant"), LINKS.c.reason != "",
        or_(LINKS.c.merchant == bindparam("of_merchant"), LINKS.c.other == bindparam("of_merchant")),
    ).values(reason=""),
    delete(IDENTIFIERS).where(*at(IDENTIFIERS, "merchant")),
)  # fmt: skip


def _place(unit: Unit, merchant_id: str) -> dict[str, Any]:
    return {"bucket": unit.bucket_of(merchant_id), "merchant": merchant_id}


def facilities(unit: Unit, merchant_id: str) -> Sequence[Row]:
    """The merchant's facilities with their signers, oldest first."""
    rows: Sequence[Row] = unit.execute(_FACILITIES, _place(unit, merchant_id)).all()
    return rows


def running(unit: Unit, merchant_id: str) -> list[str]:
    """What still binds the merchant: live facilities, loans not paid back, offers that may be signed."""
    place = _place(unit, merchant_id)
    live = [row.id for row in facilities(unit, merchant_id) if row.status in ("active", "frozen")]
    loans = unit.execute(_OPEN_LOANS, place).scalars().all()
    return [*live, *loans, *unit.execute(_OPEN_OFFERS, place).scalars()]


def last_booked(unit: Unit, merchant_id: str) -> date | None:
    """The day of the last event of any of the merchant's contracts; None where there was none."""
    ids = [row.id for row in facilities(unit, merchant_id)]
    values = {"bucket": unit.bucket_of(merchant_id), "facilities": ids}
    found: date | None = unit.execute(_LAST_BOOKED, values).scalar() if ids else None
    return found


def erasures(unit: Unit, merchant_id: str) -> Sequence[Row]:
    """When the merchant's personal data were erased, and by whom."""
    rows: Sequence[Row] = unit.execute(_ERASURES, _place(unit, merchant_id)).all()
    return rows


def receipts(unit: Unit, merchant_id: str) -> Sequence[Row]:
    """The bank receipts that tell of a merchant, by day.

    They were booked to its contracts, came from its registered accounts, or are booked to nobody while their text names it,
    one of its signers or contracts; a text that names other contracts alone is about those.
    """
    digests = unit.execute(_DIGESTS, _place(unit, merchant_id)).scalars().all()
    contracts = _contracts(unit, merchant_id)
    found = {row.id: row for row in unit.execute(_RECEIPTS, {"subjects": contracts, "digests": digests})}
    told = naming([merchant_id, *_names(unit, merchant_id)])
    for row in unit.execute(_UNBOOKED).yield_per(_AT_ONCE):
        named = set(CONTRACT.findall(row.reference))
        if not named.isdisjoint(contracts) if named else told(row.reference):
            found[row.id] = row
    return sorted(found.values(), key=lambda row: (row.received_on, row.id))


def _names(unit: Unit, merchant_id: str) -> list[str]:
    """The merchant's name and those of whoever signed for it."""
    values = {"bucket": unit.bucket_of(merchant_id), "id": merchant_id}
    signers = [row.signer for row in facilities(unit, merchant_id)]
    return [*unit.execute(_NAME, values).scalars(), *signers]


def naming(names: Iterable[str]) -> Callable[[str], bool]:
    """Whether a text holds one of some names, however wide, capital or spaced its letters are.

    >>> told = naming(["Li Wei", "陈晓明", "m-1"])
    >>> told("rent, LI  WEI"), told("收陈晓明货款"), told("m-10 and Li Weiming")
    (True, True, False)
    """
    known = {folded for name in names if (folded := _folded(name))}
    if not known:
        return lambda _: False
    alone = rf"(?<!{_LETTER})(?:{{}})(?!{_LETTER})"
    inside = [name for name in known if not re.search(_LETTER, name)]
    words = [name for name in known if re.search(_LETTER, name)]
    parts = [*map(re.escape, inside), *([alone.format("|".join(map(re.escape, words)))] if words else [])]
    pattern = re.compile("|".join(parts))
    return lambda text: pattern.search(_folded(text)) is not None


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _contracts(unit: Unit, merchant_id: str) -> list[str]:
    loans = unit.execute(_LOANS, _place(unit, merchant_id)).scalars()
    return [*(row.id for row in facilities(unit, merchant_id)), *loans]


def blank(unit: Unit, merchant_id: str) -> int:
    """Blank every personal column of a merchant and drop its identifiers; how many rows held something."""
    found = receipts(unit, merchant_id)
    answers = _redact_answers(unit, [merchant_id, *_contracts(unit, merchant_id), *(row.id for row in found)])
    return answers + _blank_receipts(unit, found) + _blank_rows(unit, merchant_id)


def _blank_receipts(unit: Unit, rows: Sequence[Row]) -> int:
    """Receipts lose what the payer wrote and who paid; a reason is a word of ours, unless a person set the receipt aside."""
    blanks = [
        {
            "of_tenant": unit.tenant, "of_id": row.id,
            "kept_reason": "erased" if row.status == "set_aside" else row.reason,
        }
        for row in rows
        if row.reference or row.payer_digest
    ]  # fmt: skip
    if blanks:
        unit.connection.execute(_BLANK_RECEIPT, blanks)
    return len(blanks)


def _blank_rows(unit: Unit, merchant_id: str) -> int:
    of = {"of_tenant": unit.tenant, "of_bucket": unit.bucket_of(merchant_id), "of_merchant": merchant_id}
    return sum(int(unit.connection.execute(statement, of).rowcount) for statement in _BLANKED)


def _redact_answers(unit: Unit, subjects: Sequence[str]) -> int:
    """Answers kept under keys lose the person; their request hashes too, since a short number can be guessed from one."""
    blanks = [
        {
            "of_tenant": unit.tenant, "of_id": row.id, "blank_hash": sha256(row.id),
            "answer": None if row.result is None else _without_person(row.result),
        }
        for row in unit.execute(_COMMANDS, {"subjects": subjects})
        if row.request_hash != sha256(row.id)
    ]  # fmt: skip
    if blanks:
        unit.connection.execute(_REDACT, blanks)
    return len(blanks)


def _without_person(result: str) -> str:
    values: dict[str, Any] = json.loads(result)
    blanks: Mapping[str, Any] = {
        "name": "", "identifiers": [], "related": [], "note": "", "reference": "", "payer_last_four": "",
    }  # fmt: skip
    return json.dumps(values | {name: blank for name, blank in blanks.items() if name in values})


def add_erasure(unit: Unit, merchant_id: str, erased_on: date, reason: str, fields: int) -> None:
    """Put on record that a merchant was erased."""
    unit.connection.execute(_ADD_ERASURE, {
        "tenant": unit.tenant, "bucket": unit.bucket_of(merchant_id), "merchant": merchant_id,
        "command": unit.command_id, "erased_on": erased_on, "erased_at": unit.now, "reason": reason, "fields": fields,
        "actor": unit.actor, "approver": unit.approver,
    })  # fmt: skip
