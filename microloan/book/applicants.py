"""What the lender knows of merchants on a day besides their sales, and the sales themselves as the pure room reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from ..products import Product
from ..store import decisions as store
from ..store import merchants as directory
from ..store import sales
from ..store import settings as exposure_store
from ..store.lending import Row
from ..store.sales import Span
from ..store.tables_sales import LINE_STATUSES
from ..store.unit import Unit
from ..underwriting import Applicant, Cap, Policy, SalesLines, sales_lines
from .lender import caps_against, dated_caps, net_assets_minor, related_group

#: Lines that are held in memory at once; a single merchant with more is read whole.
LINES_AT_ONCE = 200_000
MERCHANTS_AT_ONCE = 500


@dataclass
class Case:
    """A merchant to be decided on: its shops, what the lender knows, its live facility."""

    merchant: str
    shops: list[Row] = field(default_factory=list)
    names: tuple[str, ...] = ()
    facility: Row | None = None
    applicant: Applicant = field(default_factory=Applicant)

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
    linked: set[str]
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
    return list(cases.values())


def _known(
    unit: Unit, merchants: Sequence[str], shops: Sequence[Row], amounts: tuple[int, int], as_of: date
) -> _Known:
    minimum, cap = amounts
    return _Known(
        as_of=as_of,
        shared=shared_ids(unit, shops),
        facilities=store.live_facilities(unit, merchants),
        dues=store.oldest_dues(unit, merchants),
        exposures=exposure_store.exposures(unit, merchants),
        linked={party for pair in directory.all_links(unit) for party in pair},
        covered=covered_until(unit, shops, as_of),
        net_assets_minor=net_assets_minor(unit, as_of),
        capped=dated_caps(unit, as_of) is not None,
        minimum_minor=minimum,
        cap_minor=cap,
    )


def _applicant(unit: Unit, case: Case, known: _Known) -> Applicant:
    own = known.exposures.get(case.merchant, 0) - _used(case.facility)
    related = _related(unit, case.merchant, own) if case.merchant in known.linked else None
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


def _related(unit: Unit, merchant: str, own: int) -> int:
    """What is lent to the merchant's related parties, with its own exposure."""
    others = sorted(related_group(unit, merchant) - {merchant})
    return own + sum(exposure_store.exposures(unit, others).values())


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


# --- the flow --------------------------------------------------------------------------------------------------------

#: Shops whose name begins so are no shops: each holds a line of nothing that says its platform reports settlement.
MARKER = "\0"


def flow_of(unit: Unit, cases: Sequence[Case], as_of: date, at: int) -> SalesLines:
    """The sales lines of these merchants paid by *as_of*, as they stood at a revision; shops are named as in the cases.

    Whether a platform reports settlement is known from all its lines, not from those of the merchants that happen to be
    read together; markers carry that knowledge, one per day until which a flow is covered.
    """
    names = {shop.number: name for case in cases for shop, name in zip(case.shops, case.names, strict=True)}
    platforms = {shop.number: str(shop.platform) for case in cases for shop in case.shops}
    rows = [*_stored_rows(unit, cases, as_of, at), *_markers(unit, cases, names, platforms, as_of, at)]
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
        {**shops, **named, **days, "status": [LINE_STATUSES[code] for code in columns["status"]]}
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


def _markers(
    unit: Unit, cases: Sequence[Case], names: dict[int, str], platforms: dict[int, str], as_of: date, at: int
) -> Iterator[tuple[Any, ...]]:
    """Rows of the markers; their names and platforms are added to those of the shops."""
    wanted = sorted(set(platforms.values()))
    reporting = {
        name: day for name, day in sales.first_settled(unit, at).items() if name in wanted and day <= as_of
    }
    number = 0
    for covered in sorted({str(case.applicant.covered_until) for case in cases}):
        for platform, day in sorted(reporting.items()):
            number -= 1
            names[number], platforms[number] = f"{MARKER}{covered}", platform
            on = day.toordinal()
            yield number, MARKER, on, 0, 0, LINE_STATUSES.index("completed"), None, None, on, None, None


def marker_applicants(cases: Sequence[Case]) -> dict[str, Applicant]:
    """The markers stand with the merchants whose flow is covered until the same day."""
    return {
        f"{MARKER}{case.applicant.covered_until}": Applicant(covered_until=case.applicant.covered_until)
        for case in cases
    }
