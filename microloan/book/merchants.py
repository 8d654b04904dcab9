"""Merchants, their shops on the platforms, related parties, identifiers.

A shop nobody registered is its own merchant, under its own id; where a second platform brings a shop of the same id, that one's
merchant is called ``platform:shop``. Which merchant a shop was given first decides where its lines are kept, for good.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..days import parse_date
from ..errors import BadInput, EventRefused, InvalidDate, MicroloanError, NotFound
from ..free_text import guard_name
from ..intake.cells import PLATFORM
from ..intake.rejections import Rejection
from ..intake.rows import read_rows
from ..money import plain_decimal
from ..store import lending
from ..store import merchants as store
from ..store import sales as shops_store
from ..store.lending import Row
from ..store.sales import ShopKey, ShopPlace
from ..store.unit import Unit
from .desk import Desk
from .lender import identifier_key

if TYPE_CHECKING:
    from .rings import MerchantRings

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}", re.ASCII)
_KIND = re.compile(r"[a-z][a-z0-9_]{0,30}", re.ASCII)
_LENGTHS = (4, 200)  # of an identifier


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop on a platform. ``rating`` and ``violations`` are the platform's, known from ``rated_on``."""

    platform: str
    shop_id: str
    merchant_id: str
    rating: Decimal | None
    violations: int | None
    rated_on: date | None
    platform_is_buyer: bool
    lines: int


@dataclass(frozen=True, slots=True)
class Related:
    """A related party and why it is one."""

    merchant_id: str
    reason: str = field(repr=False)  # may name a person


@dataclass(frozen=True, slots=True)
class Identifier:
    """Something that identifies a merchant; only its kind and last four characters can be shown.

    The merchant's from ``first_day`` to ``last_day``, both counted; ``last_day`` None: it has it still.
    """

    kind: str
    last_four: str
    first_day: date
    last_day: date | None
    also_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant with its shops and related parties; ``registered`` is False for a shop that is its own merchant."""

    id: str
    name: str = field(repr=False)  # a person's, often
    registered: bool
    shops: tuple[Shop, ...] = ()
    related: tuple[Related, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class DirectoryReport:
    """What came of importing merchants or shops: rows added, rows that changed something, rows that said nothing new."""

    accepted: int
    updated: int
    duplicates: int
    rejected: int
    rejections: tuple[Rejection, ...]
    replayed: bool = False


Rows = Sequence[tuple[int, dict[str, str]]]


class Merchants:
    """The book's merchants and shops."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add(
        self,
        merchant_id: str,
        name: str = "",
        *,
        shops: Iterable[str] = (),
        idempotency_key: str | None = None,
    ) -> Merchant:
        """Register a merchant, with shops written ``platform:shop`` (or the id alone of a shop the book knows).

        Raises BadInput for an id that is not plain ASCII, EventRefused when it is registered already.
        """
        wanted = tuple(shops)
        request = {"merchant": merchant_id, "name": name, "shops": wanted}

        def act(unit: Unit) -> Merchant:
            register(unit, merchant_id, name)
            for shop in wanted:
                give_shop(unit, shop, merchant_id)
            return merchant_view(unit, merchant_id)

        return self._desk.command("merchant.add", request, act, Merchant, key=idempotency_key)

    def give(self, shop: str, merchant_id: str, *, idempotency_key: str | None = None) -> Merchant:
        """Say whose a shop is. Raises EventRefused while its present owner has a live facility."""

        def act(unit: Unit) -> Merchant:
            give_shop(unit, shop, merchant_id)
            return merchant_view(unit, merchant_id)

        return self._desk.command(
            "merchant.give", {"shop": shop, "merchant": merchant_id}, act, Merchant, key=idempotency_key
        )

    def show(self, merchant: str) -> Merchant:
        """A merchant, by its id or by a shop of it. Raises NotFound."""
        return self._desk.read(lambda unit: merchant_view(unit, merchant_of(unit, merchant)))

    def list(self) -> tuple[Merchant, ...]:
        """Every merchant, registered or not, by id; their shops, but neither links nor identifiers."""
        return self._desk.read(_all)

    def link(
        self, merchant: str, other: str, reason: str = "", *, idempotency_key: str | None = None
    ) -> Merchant:
        """Note that two merchants are related parties. Raises BadInput for a merchant and itself, NotFound."""

        def act(unit: Unit) -> Merchant:
            one, two = merchant_of(unit, merchant), merchant_of(unit, other)
            if one == two:
                raise BadInput(field="merchant", value=two, reason="a merchant is not its own related party")
            store.link(unit, one, two, _text(reason, "reason"))
            return merchant_view(unit, one)

        request = {"merchant": merchant, "other": other, "reason": reason}
        return self._desk.command("merchant.link", request, act, Merchant, key=idempotency_key)

    def identify(
        self,
        merchant: str,
        kind: str,
        value: str,
        *,
        since: date | str | None = None,
        until: date | str | None = None,
        idempotency_key: str | None = None,
    ) -> Merchant:
        """Note a phone, account, licence … of a merchant; the value itself is not kept.

        What is kept is a keyed digest, to find the other merchants that have it, and the last four characters.
        *since*: the first day on which it was the merchant's (default: the open business day; of a known one the day on
        file, unless *since* is earlier). *until*: the last day, counted, when the merchant gave it up; without it the
        merchant has it still, also one that had ended. Raises BadInput, InvalidDate for days to come or in the wrong order.
        """
        span = {"since": _iso(since), "until": _iso(until)}

        def act(unit: Unit) -> Merchant:
            owner = merchant_of(unit, merchant)
            _note(unit, owner, kind, value, **span)
            return merchant_view(unit, owner)

        shown = hashlib.sha256(value.encode()).hexdigest()
        request = {"merchant": merchant, "kind": kind, "value_sha256": shown, **span}
        return self._desk.command("merchant.identify", request, act, Merchant, key=idempotency_key)

    def rings(self, merchant: str, as_of: date | str | None = None, *, hops: int = 2) -> MerchantRings:
        """Who shares identifiers with a merchant, over so many hops, by which evidence; its ring and its related parties.

        At the end of a day, by default the open business day. Raises NotFound, InvalidDate, InvalidSetting for hops.
        """
        from .rings import rings_around

        return self._desk.read(lambda unit: rings_around(unit, merchant, as_of, hops))

    def rate(
        self,
        shop: str,
        *,
        rating: Decimal | str | None = None,
        violations: int | None = None,
        rated_on: date | str | None = None,
        platform_is_buyer: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Shop:
        """Note what the platform says of a shop, known from *rated_on* (default: the open business day).

        What is not given stays as it is known. Raises NotFound, BadInput.
        """
        facts = {
            "rating": rating,
            "violations": violations,
            "rated_on": rated_on,
            "platform_is_buyer": platform_is_buyer,
        }

        def act(unit: Unit) -> Shop:
            row = find_shop(unit, shop)
            store.rate_shop(unit, row.number, _facts(facts, row, unit.book_day()))
            return shop_view(find_shop(unit, shop))

        request = {
            "shop": shop,
            **{name: None if value is None else str(value) for name, value in facts.items()},
        }
        return self._desk.command("shop.rate", request, act, Shop, key=idempotency_key, subject=shop)

    def import_merchants(self, file: Path | str, *, idempotency_key: str | None = None) -> DirectoryReport:
        """Register merchants from a CSV ``merchant_id,name``; rows that cannot be used are listed, the others taken.

        Raises InvalidFile for a file without that column.
        """
        rows = read_rows(file, ("merchant_id",), ("name",))

        def take(unit: Unit, row: Mapping[str, str]) -> str:
            if store.merchant(unit, row["merchant_id"]) is not None:
                return "duplicates"
            register(unit, row["merchant_id"], row.get("name", ""))
            return "accepted"

        return self._import("merchant.import", rows, take, idempotency_key)

    def import_shops(self, file: Path | str, *, idempotency_key: str | None = None) -> DirectoryReport:
        """Take shops from a CSV ``shop_id,platform`` with ``merchant_id,rating,violations,rated_on,platform_is_buyer``.

        A merchant that is not registered is; rows that cannot be used are listed, the others taken. Raises InvalidFile.
        """
        rows = read_rows(file, ("shop_id", "platform"), ("merchant_id", *_FACTS))
        return self._import("shop.import", rows, _take_shop, idempotency_key)

    def import_identifiers(self, file: Path | str, *, idempotency_key: str | None = None) -> DirectoryReport:
        """Note what identifies merchants from a CSV ``merchant_id,kind,value`` with ``first_day,last_day`` if known.

        Each row is taken like :meth:`identify`; rows that cannot be used are listed, the others taken. Raises InvalidFile.
        """
        rows = read_rows(file, ("merchant_id", "kind", "value"), ("first_day", "last_day"))

        def take(unit: Unit, row: Mapping[str, str]) -> str:
            owner = merchant_of(unit, row["merchant_id"])
            return _note(
                unit, owner, row["kind"], row["value"], row["first_day"] or None, row["last_day"] or None
            )

        return self._import("merchant.identifiers", rows, take, idempotency_key)

    def _import(self, operation: str, rows: Rows, take: Any, key: str | None) -> DirectoryReport:
        def act(unit: Unit) -> DirectoryReport:
            counts: Counter[str] = Counter()
            rejections = []
            for line, row in rows:
                try:
                    with unit.connection.begin_nested():
                        counts[take(unit, row)] += 1
                except MicroloanError as refused:
                    rejections.append(Rejection(line, refused.code, refused.message))
            told = (counts["accepted"], counts["updated"], counts["duplicates"])
            return DirectoryReport(*told, rejected=len(rejections), rejections=tuple(rejections))

        request = {"rows": [[line, row] for line, row in rows]}
        return self._desk.command(operation, request, act, DirectoryReport, key=key)


# --- inside a unit ---------------------------------------------------------------------------------------------------


def known_shops(
    unit: Unit, keys: Iterable[ShopKey], besides: Mapping[ShopKey, ShopPlace] | None = None
) -> dict[ShopKey, ShopPlace]:
    """Where the lines of these shops are kept; shops the book has not seen are added, each its own merchant.

    Those in *besides* are known to the caller and left out.
    """
    wanted = sorted(key for key in keys if key not in (besides or {}))
    found = _places(unit, wanted)
    if len(found) < len(wanted):
        shops_store.lock_flow(unit)  # another import may be adding the same shops
        found = _places(unit, wanted)
    return found | _added(unit, [key for key in wanted if key not in found])


def _places(unit: Unit, keys: list[ShopKey]) -> dict[ShopKey, ShopPlace]:
    rows = shops_store.shops_by_key(unit, keys)
    return {key: ShopPlace(row.number, row.bucket, row.merchant) for key, row in rows.items()}


def _added(unit: Unit, keys: list[ShopKey]) -> dict[ShopKey, ShopPlace]:
    if not keys:
        return {}
    taken = {row.shop_id for row in shops_store.shops_called(unit, sorted({shop for _, shop in keys}))}
    rows = []
    for platform, shop in keys:
        own = shop not in taken and store.merchant(unit, shop) is None
        taken.add(shop)
        merchant = shop if own else f"{platform}:{shop}"
        rows.append(
            {"platform": platform, "shop_id": shop, "merchant": merchant, "bucket": unit.bucket_of(merchant)}
        )
    return shops_store.add_shops(unit, rows)


def find_shop(unit: Unit, name: str) -> Row:
    """A shop by ``platform:shop``, or by its id where one platform only has it. Raises NotFound, BadInput (ambiguous_shop)."""
    platform, colon, shop = name.partition(":")
    if colon:
        exact = shops_store.shops_by_key(unit, [(platform.lower(), shop)])
        if exact:
            return next(iter(exact.values()))
    called = shops_store.shops_called(unit, [name])
    if not called:
        raise NotFound(kind="shop", id=name[:80])
    if len(called) > 1:
        raise ambiguous(name, called)
    return called[0]


def ambiguous(name: str, rows: Iterable[Row]) -> BadInput:
    """One id, shops on several platforms: the platform must be said."""
    written = " or ".join(f"{row.platform}:{row.shop_id}" for row in rows)
    return BadInput(
        code="ambiguous_shop", field="shop", value=name, reason=f"several platforms have it; write {written}"
    )


def merchant_of(unit: Unit, name: str) -> str:
    """The merchant with this id, or whose shop this is. Raises NotFound, BadInput (ambiguous_shop)."""
    if store.merchant(unit, name) is not None:
        return name
    called = shops_store.shops_called(unit, [name])
    if len(called) > 1:
        raise ambiguous(name, called)
    if not called and store.has_shops(unit, name):
        return name
    try:
        return str(find_shop(unit, name).merchant)
    except NotFound:
        raise NotFound(kind="merchant or shop", id=name[:80]) from None


def register(unit: Unit, merchant_id: str, name: str) -> None:
    """Write a merchant. Raises BadInput, EventRefused (already_registered)."""
    if not _ID.fullmatch(merchant_id):
        reason = "use up to 64 ASCII letters, digits and . _ : @ -, the first a letter or digit"
        raise BadInput(code="bad_id", field="merchant_id", value=merchant_id[:80], reason=reason)
    if not store.add_merchant(unit, merchant_id, _text(name, "name")):
        raise EventRefused(code="already_registered", subject=merchant_id, reason="is registered already")


def give_shop(unit: Unit, shop: str, merchant_id: str) -> None:
    """Say whose a shop is; one the book has not seen is added. Raises NotFound, EventRefused (facility_live)."""
    if store.merchant(unit, merchant_id) is None:
        raise NotFound(kind="merchant", id=merchant_id)
    row = _shop_or_none(unit, shop)
    if row is None:
        _new_shop(unit, shop, merchant_id)
    elif row.merchant != merchant_id:
        live = lending.live_facility(unit, row.merchant)
        if live is not None:
            reason = f"its owner {row.merchant} has the live facility {live.id}, which its sales carry"
            raise EventRefused(code="facility_live", subject=shop, reason=reason)
        store.move_shop(unit, row.number, merchant_id)


def _shop_or_none(unit: Unit, shop: str) -> Row | None:
    try:
        return find_shop(unit, shop)
    except NotFound:
        return None


def _new_shop(unit: Unit, shop: str, merchant_id: str) -> None:
    platform, colon, shop_id = shop.partition(":")
    if not colon or not PLATFORM.fullmatch(platform.lower()) or not shop_id or not shop_id.isprintable():
        raise BadInput(
            code="bad_id", field="shop", value=shop[:80], reason="write a new shop as platform:shop"
        )
    row = {"platform": platform.lower(), "shop_id": shop_id, "merchant": merchant_id}
    shops_store.lock_flow(unit)
    shops_store.add_shops(unit, [row | {"bucket": unit.bucket_of(merchant_id)}])


def merchant_view(unit: Unit, merchant_id: str) -> Merchant:
    """A merchant as the library shows it."""
    row = store.merchant(unit, merchant_id)
    shops = tuple(shop_view(shop) for shop in shops_store.shops_of(unit, [merchant_id]))
    related = tuple(
        Related(link.other if link.merchant == merchant_id else link.merchant, link.reason)
        for link in store.links(unit, merchant_id)
    )
    identifiers = tuple(
        _identifier(unit, merchant_id, found) for found in store.identifiers(unit, merchant_id)
    )
    return Merchant(merchant_id, row.name if row else "", row is not None, shops, related, identifiers)


def _identifier(unit: Unit, merchant_id: str, row: Row) -> Identifier:
    others = tuple(other for other in store.sharing(unit, row.kind, row.digest) if other != merchant_id)
    return Identifier(row.kind, row.last_four, row.first_day, row.last_day, others)


def shop_view(row: Row) -> Shop:
    """A shop as the library shows it."""
    rating = None if row.rating is None else Decimal(row.rating)
    return Shop(
        row.platform,
        row.shop_id,
        row.merchant,
        rating,
        row.violations,
        row.rated_on,
        bool(row.platform_is_buyer),
        row.lines,
    )


def _all(unit: Unit) -> tuple[Merchant, ...]:
    shops: dict[str, list[Shop]] = {}
    last = 0
    while rows := shops_store.shops_after(unit, last, 5000):
        last = rows[-1].number
        for row in rows:
            shops.setdefault(row.merchant, []).append(shop_view(row))
    names = {row.id: row.name for row in store.merchants(unit)}
    return tuple(
        Merchant(each, names.get(each, ""), each in names, tuple(shops.get(each, ())))
        for each in sorted({*shops, *names})
    )


# --- what identifies them --------------------------------------------------------------------------------------------


def _note(
    unit: Unit, merchant_id: str, kind: str, value: str, since: str | None = None, until: str | None = None
) -> str:
    """Note an identifier, or what is new of a known one: ``accepted``, ``updated``, ``duplicates``."""
    digest, last_four = digest_of(unit, kind, value)
    known = store.identifier(unit, merchant_id, kind, digest)
    span = _span(known, since, until, unit.book_day())
    if known is not None and span == (known.first_day, known.last_day):
        return "duplicates"
    store.put_identifier(unit, merchant_id, kind, digest, last_four, span)
    return "accepted" if known is None else "updated"


def _iso(day: date | str | None) -> str | None:
    return None if day is None else str(day)


def _span(known: Row | None, since: str | None, until: str | None, today: date) -> tuple[date, date | None]:
    """From when to when a merchant has an identifier, by what was known and what is told."""
    first = today if since is None else parse_date(since, "since")
    if known is not None:
        first = min(known.first_day, first)
    last = None if until is None else parse_date(until, "until")
    for name, day in (("since", first), ("until", last)):
        if day is not None and day > today:
            raise InvalidDate(field=name, value=str(day), reason=f"the book's business day is {today}")
    if last is not None and last < first:
        raise InvalidDate(field="until", value=str(last), reason=f"lies before its first day, {first}")
    return first, last


# --- shops and merchants from files ----------------------------------------------------------------------------------

_FACTS = ("rating", "violations", "rated_on", "platform_is_buyer")
_YES = {"0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}


def _take_shop(unit: Unit, row: Mapping[str, str]) -> str:
    name = f"{row['platform'].lower()}:{row['shop_id']}"
    owner = row.get("merchant_id", "")
    known = shops_store.shops_by_key(unit, [(row["platform"].lower(), row["shop_id"])])
    if owner and store.merchant(unit, owner) is None:
        register(unit, owner, "")
    if not known and not owner:
        _check_platform(row["platform"])
        known_shops(unit, [(row["platform"].lower(), row["shop_id"])])
    if owner:
        give_shop(unit, name, owner)
    before, after = next(iter(known.values()), None), find_shop(unit, name)
    given = {fact: row.get(fact) or None for fact in _FACTS}
    store.rate_shop(unit, after.number, _facts(given, after, unit.book_day()))
    if before is None:
        return "accepted"
    return "duplicates" if before == find_shop(unit, name) else "updated"


def _check_platform(platform: str) -> None:
    if not PLATFORM.fullmatch(platform.lower()):
        reason = "use lower-case letters, digits and . _ - (32 at most)"
        raise BadInput(code="bad_id", field="platform", value=platform[:40], reason=reason)


def _facts(given: Mapping[str, Any], known: Row, today: date) -> dict[str, Any]:
    """What the platform says of a shop, checked; what is not said stays as *known*."""
    rating = None if given["rating"] is None else plain_decimal(given["rating"], "rating")
    violations = (
        None if given["violations"] is None else int(plain_decimal(given["violations"], "violations"))
    )
    if violations is not None and violations < 0:
        raise BadInput(field="violations", value=violations, reason="cannot be below zero")
    since = parse_date(given["rated_on"], "rated_on") if given["rated_on"] else today
    said = rating is not None or violations is not None
    buyer = _yes(given["platform_is_buyer"])
    return {
        "rating": known.rating if rating is None else f"{rating:f}",
        "violations": known.violations if violations is None else violations,
        "rated_on": since if said else known.rated_on,
        "platform_is_buyer": known.platform_is_buyer if buyer is None else int(buyer),
    }


def _yes(given: bool | str | None) -> bool | None:
    if not isinstance(given, str):
        return given
    if given.lower() not in _YES:
        raise BadInput(field="platform_is_buyer", value=given, reason="write 1 or 0")
    return _YES[given.lower()]


def _text(given: str, field: str) -> str:
    """A name or reason for people, in one line."""
    text = " ".join(given.split())
    guard_name(field, text)
    return text


def digest_of(unit: Unit, kind: str, value: str) -> tuple[str, str]:
    """A keyed digest of an identifier and its last four characters; blanks and dashes in it mean nothing."""
    if not _KIND.fullmatch(kind):
        raise BadInput(
            field="kind", value=kind[:40], reason="use lower-case letters, digits and _, such as phone"
        )
    plain = _plain(value)
    if not _LENGTHS[0] <= len(plain) <= _LENGTHS[1]:
        raise BadInput(field="value", value="(not shown)", reason="use 4 to 200 characters")
    return _keyed_digest(identifier_key(unit), kind, plain), plain[-4:]


def digests_of(unit: Unit, kind: str, values: Iterable[str]) -> dict[str, str]:
    """The keyed digest of each of these identifiers; those too short or too long to be one are left out."""
    key = identifier_key(unit)
    plain = {value: _plain(value) for value in values}
    return {
        value: _keyed_digest(key, kind, text)
        for value, text in plain.items()
        if _LENGTHS[0] <= len(text) <= _LENGTHS[1]
    }


def _plain(value: str) -> str:
    return re.sub(r"[\s\-]", "", value).casefold()


def _keyed_digest(key: bytes, kind: str, plain: str) -> str:
    return hmac.new(key, f"{kind}:{plain}".encode(), hashlib.sha256).hexdigest()
