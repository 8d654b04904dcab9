"""What the lender knows of merchants on a day besides their sales, and the sales themselves as the pure room reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from ..products import Product
from ..store import decisions as store
from ..store import sales
from ..store import settings as exposure_store
from ..store.lending import Row
from ..store.rings import digests_by_merchant
from ..store.sales import Span
from ..store.tables_sales import LINE_STATUSES
from ..store.unit import Unit
from ..underwriting import Applicant, Cap, Policy, SalesLines, sales_lines
from ..underwriting.own_buyers import buyers_of
from ..underwriting.relations import Relation
from .lender import caps_against, dated_caps, net_assets_minor
from .merchants import digests_of
from .related import Circle, circles_of, exposures_of_groups
from .relations import relations_of

#: Lines that are held in memory at once; a single merchant with more is read whole.
LINES_AT_ONCE = 200_000
MERCHANTS_AT_ONCE = 500


@dataclass
class Case:
    """A merchant to be decided on: its shops, what the lender knows, its live facility.

    ``buyer_digests``: of the buyers' accounts that are its own or of its related parties; whose they are in the flow is still
    to be found out.
    """

    merchant: str
    shops: list[Row] = field(default_factory=list)
    names: tuple[str, ...] = ()
    facility: Row | None = None
    applicant: Applicant = field(default_factory=Applicant)
    buyer_digests: frozenset[str] = frozenset()

    @property
    def lines(self) -> int:
        """About how many sales lines it has."""
        return sum(shop.lines for shop in self.shops)


@dataclass(frozen=True)
class _Known:
    """What the book knows of some merchants at once, and the amounts every one of them is measured by."""

    as_of: date
    shared: frozenset[str]
    facilities: dict[str, Row]
    dues: dict[str, date]
    exposures: dict[str, int]
    related: dict[str, int]
    relations: dict[str, tuple[Relation, ...]]
    buyers: dict[str, frozenset[str]]
    covered: dict[int, date]
    net_assets_minor: int | None
    capped: bool
    minimum_minor: int
    cap_minor: int


def cases_of(
    unit: Unit, merchants: Sequence[str], policy: Policy, product: Product, as_of: date
) -> list[Case]:
    """The merchants with all that is known of them, in the order given."""
    cases = {merchant: Case(merchant) for merchant in merchants}
    shops = sales.shops_of(unit, list(merchants))
    for shop in shops:
        cases[shop.merchant].shops.append(shop)
    known = _known(unit, merchants, shops, amounts_of(policy, product), as_of)
    for case in cases.values():
        case.names = tuple(shop_name(shop, known.shared) for shop in case.shops)
        case.facility = known.facilities.get(case.merchant)
        case.applicant = _applicant(unit, case, known)
        case.buyer_digests = known.buyers.get(case.merchant, frozenset())
    return list(cases.values())


def parts_of(cases: list[Case]) -> Iterator[list[Case]]:
    """The cases some at a time, so that no more than so many lines are held."""
    part: list[Case] = []
    for case in cases:
        if part and sum(each.lines for each in part) + case.lines > LINES_AT_ONCE:
            yield part
            part = []
        part.append(case)
    if part:
        yield part


def next_merchants(unit: Unit, after: int) -> tuple[list[str], int]:
    """The merchants whose first shop is among the next ones by number, and the last number looked at."""
    rows = sales.shops_after(unit, after, MERCHANTS_AT_ONCE)
    if not rows:
        return [], after
    wanted = list(dict.fromkeys(row.merchant for row in rows))
    earlier = {shop.merchant for shop in sales.shops_of(unit, wanted) if shop.number <= after}
    return [merchant for merchant in wanted if merchant not in earlier], rows[-1].number


def _known(
    unit: Unit, merchants: Sequence[str], shops: Sequence[Row], amounts: tuple[int, int], as_of: date
) -> _Known:
    minimum, cap = amounts
    circles = circles_of(unit, merchants, as_of)
    return _Known(
        as_of=as_of,
        shared=shared_ids(unit, shops),
        facilities=store.live_facilities(unit, merchants),
        dues=store.oldest_dues(unit, merchants),
        exposures=exposure_store.exposures(unit, merchants),
        related=exposures_of_groups(unit, circles),
        relations=relations_of(unit, circles, as_of),
        buyers=_buyers_of_groups(unit, circles, as_of),
        covered=covered_until(unit, shops, as_of),
        net_assets_minor=net_assets_minor(unit, as_of),
        capped=dated_caps(unit, as_of) is not None,
        minimum_minor=minimum,
        cap_minor=cap,
    )


def _applicant(unit: Unit, case: Case, known: _Known) -> Applicant:
    own = known.exposures.get(case.merchant, 0) - _used(case.facility)
    related = own + known.related[case.merchant] if case.merchant in known.related else None
    rating, violations = _rated(case.shops, known.as_of)
    borrower = case.merchant in known.exposures
    return Applicant(
        own_exposure_minor=own,
        related_exposure_minor=related,
        net_assets_minor=known.net_assets_minor,
        caps=_caps(unit, known.as_of, own, own if related is None else related) if known.capped else (),
        covered_until=_earliest(case.shops, known.covered),
        platform_is_buyer=bool(case.shops) and all(shop.platform_is_buyer for shop in case.shops),
        rating=rating,
        violations=violations,
        days_past_due=_days(known.dues.get(case.merchant), known.as_of) if borrower else None,
        minimum_limit_minor=known.minimum_minor,
        product_cap_minor=known.cap_minor,
        relations=known.relations.get(case.merchant, ()),
    )


def amounts_of(policy: Policy, product: Product) -> tuple[int, int]:
    """Smallest and largest limit in minor units: the stricter of policy and product."""
    currency = product.currency
    minimum = max(policy.minimum_limit_minor(currency), product.minor("min_limit") or 0)
    own, cap = policy.product_cap_minor(currency), product.caps.minor(currency)
    return minimum, own if cap is None else min(own, cap)


def _used(facility: Row | None) -> int:
    """What a facility has out: a review of its limit leaves that out."""
    return 0 if facility is None else int(facility.outstanding_minor + facility.pending_minor)


def _caps(unit: Unit, day: date, own: int, group: int) -> tuple[Cap, ...]:
    return tuple(Cap(cap.name, cap.most, cap.used) for cap in caps_against(unit, day, own, group))


def _days(due: date | None, day: date) -> int:
    return 0 if due is None else max((day - due).days, 0)


def _rated(shops: Sequence[Row], as_of: date) -> tuple[Decimal | None, int | None]:
    """The lowest rating and all violations of the shops, as far as they were known on the day."""
    known = [shop for shop in shops if shop.rated_on is not None and shop.rated_on <= as_of]
    ratings = [Decimal(shop.rating) for shop in known if shop.rating is not None]
    violations = [shop.violations for shop in known if shop.violations is not None]
    return min(ratings, default=None), sum(violations) if violations else None


# --- names and coverage ----------------------------------------------------------------------------------------------


def shared_ids(unit: Unit, shops: Sequence[Row]) -> frozenset[str]:
    """Ids of these shops that a shop of another platform has too."""
    found: dict[str, set[str]] = {}
    for row in sales.shops_called(unit, sorted({shop.shop_id for shop in shops})):
        found.setdefault(row.shop_id, set()).add(row.platform)
    return frozenset(shop for shop, platforms in found.items() if len(platforms) > 1)


def shop_name(shop: Row, shared: frozenset[str]) -> str:
    """How a shop is written: its id, or ``platform:shop`` where several platforms have that id."""
    return f"{shop.platform}:{shop.shop_id}" if shop.shop_id in shared else str(shop.shop_id)


def covered_until(unit: Unit, shops: Sequence[Row], as_of: date) -> dict[int, date]:
    """The last day, not after *as_of*, for which each shop's flow was imported."""
    feeds = sales.feeds(unit)
    by_bucket: dict[int, list[Row]] = {}
    for shop in shops:
        by_bucket.setdefault(shop.bucket, []).append(shop)
    found: dict[int, date] = {}
    for bucket, members in by_bucket.items():
        spans = sales.spans_of(unit, bucket, [shop.number for shop in members])
        for shop in members:
            last = _last_covered([*spans.get(shop.number, ()), *feeds.get(shop.platform, ())], as_of)
            if last is not None:
                found[shop.number] = last
    return found


def _last_covered(spans: Sequence[Span], as_of: date) -> date | None:
    return max((min(last, as_of) for first, last in spans if first <= as_of), default=None)


def _earliest(shops: Sequence[Row], covered: dict[int, date]) -> date | None:
    """All shops of a merchant are added up, so the flow is known only as far as that of the shop known least."""
    return min((covered[shop.number] for shop in shops if shop.number in covered), default=None)


# --- buyers that are the merchant itself ------------------------------------------------------------------------------

#: The kind of identifier that is a buyer's account on the platforms, as the sales files have it.
BUYER = "buyer"


def _buyers_of_groups(unit: Unit, circles: Mapping[str, Circle], as_of: date) -> dict[str, frozenset[str]]:
    """The buyers' accounts of each merchant and its related parties, as digests; who has none is left out."""
    everybody = sorted({each for circle in circles.values() for each in circle.group})
    known = digests_by_merchant(unit, everybody, BUYER, as_of)
    if not known:
        return {}
    found = {
        merchant: frozenset(digest for each in circle.group for digest in known.get(each, ()))
        for merchant, circle in circles.items()
    }
    return {merchant: digests for merchant, digests in found.items() if digests}


def know_own_buyers(unit: Unit, cases: Sequence[Case], lines: SalesLines) -> None:
    """Find out who of the buyers in the flow is the merchant or a related party, and keep it with what is known of it."""
    for case in cases:
        if case.buyer_digests:
            digests = digests_of(unit, BUYER, buyers_of(lines, case.names))
            own = tuple(sorted(buyer for buyer, digest in digests.items() if digest in case.buyer_digests))
            case.applicant = replace(case.applicant, own_buyers=own)


# --- the flow --------------------------------------------------------------------------------------------------------


def flow_of(unit: Unit, cases: Sequence[Case], as_of: date, at: int) -> SalesLines:
    """The sales lines of these merchants paid by *as_of*, as they stood at a revision; shops are named as in the cases.

    Whether a platform reports settlement is known from all its lines, not from those of the merchants that happen to be
    read together.
    """
    names = {shop.number: name for case in cases for shop, name in zip(case.shops, case.names, strict=True)}
    platforms = {shop.number: str(shop.platform) for case in cases for shop in case.shops}
    rows = _stored_rows(unit, cases, as_of, at)
    if not rows:
        return sales_lines([])
    columns = dict(zip(sales.READ_COLUMNS, zip(*rows, strict=True), strict=True))
    named = {
        column: columns[column]
        for column in ("order_id", "buyer_id", "product_id", "amount_minor", "refund_minor")
    }
    days = {f"{name}_at": columns[f"{name}_day"] for name in ("paid", "refunded", "status", "settled")}
    shops = {
        "shop_id": [names[number] for number in columns["shop"]],
        "platform": [platforms[number] for number in columns["shop"]],
    }
    return sales_lines(
        {**shops, **named, **days, "status": [LINE_STATUSES[code] for code in columns["status"]]},
        settling_since=sales.first_settled(unit, at),
    )


def _stored_rows(unit: Unit, cases: Sequence[Case], as_of: date, at: int) -> list[Row]:
    by_bucket: dict[int, list[int]] = {}
    for case in cases:
        for shop in case.shops:
            by_bucket.setdefault(shop.bucket, []).append(shop.number)
    return [
        row
        for bucket, shops in sorted(by_bucket.items())
        for part in range(0, len(shops), MERCHANTS_AT_ONCE)
        for row in sales.lines_of(unit, bucket, shops[part : part + MERCHANTS_AT_ONCE], as_of, at)
    ]
