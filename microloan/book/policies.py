"""Versions of credit policies: proposed by one person, approved by another, never changed after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from json import loads
from pathlib import Path
from typing import Any

from ..errors import BadInput, EventRefused, InvalidPolicy, NotFound, Refused
from ..store import decisions as store
from ..store.lending import Row
from ..store.unit import Unit
from ..underwriting import Policy, load_policy, shipped_policy
from . import four_eyes, products
from .ceilings import guard_policy
from .desk import Desk

#: The policy a new book has, and the product that its offers are made of.
SHIPPED = "marketplace"
PRODUCT = "marketplace"


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A version of a policy and who proposed and approved it; in force from ``effective_on`` once approved."""

    name: str
    version: int
    status: str
    sha256: str
    effective_on: date
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    policy: Mapping[str, Any]
    replayed: bool = False


class Policies:
    """The book's credit policies. ``policies.propose("mine.toml")``, then another approves."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def propose(
        self,
        policy: Policy | Path | str,
        *,
        effective_on: date | None = None,
        idempotency_key: str | None = None,
    ) -> PolicyVersion:
        """Put a new version on file; it decides nothing until approved, nor before *effective_on* (default: at once).

        Raises InvalidPolicy for a file that is none, or a version that is not newer.
        """
        wanted = policy if isinstance(policy, Policy) else load_policy(str(policy))
        request = {
            "name": wanted.name, "version": wanted.version, "sha256": wanted.sha256,
            "effective_on": effective_on and effective_on.isoformat(),
        }  # fmt: skip
        return self._desk.command(
            "policy.propose", request, lambda unit: propose(unit, wanted, effective_on), PolicyVersion,
            key=idempotency_key, subject=f"{wanted.name}@{wanted.version}",
        )  # fmt: skip

    def approve(self, name: str, version: int, *, idempotency_key: str | None = None) -> PolicyVersion:
        """Let a proposed version decide. Raises FourEyesRequired where the book wants a second person, EventRefused
        (rate_above_ceiling) for a grade whose price no draw may have on the day it takes effect."""
        return self._desk.command(
            "policy.approve", {"name": name, "version": version}, lambda unit: approve(unit, name, version),
            PolicyVersion, key=idempotency_key, subject=f"{name}@{version}",
        )  # fmt: skip

    def list(self) -> tuple[PolicyVersion, ...]:
        """All versions of all policies, by name and version."""
        return self._desk.read(lambda unit: tuple(_view(row) for row in store.policies(unit)))

    def show(self, name: str = SHIPPED, version: int | None = None) -> PolicyVersion:
        """One version, by default the one in force. Raises NotFound."""

        def look(unit: Unit) -> PolicyVersion:
            if version is None:
                return _view(store.active_policy(unit, name, unit.book_day()))
            return _view(store.policy_row(unit, name, version))

        return self._desk.read(look)

    def named(self, name: str = SHIPPED) -> Policy:
        """The policy in force under *name*, or with ``name@2`` exactly that version, approved or not. Raises NotFound.

        >>> from microloan import LoanBook
        >>> with LoanBook.open("sqlite://") as book:
        ...     opened = book.init()
        ...     book.underwriting.policies.named("marketplace@1").version
        1
        """
        return self._desk.read(lambda unit: named_policy(unit, name))


def propose(unit: Unit, policy: Policy, effective_on: date | None = None) -> PolicyVersion:
    """As :meth:`Policies.propose`, inside an open unit."""
    last = store.last_policy_version(unit, policy.name)
    if policy.version <= last:
        reason = f"version {last} is on file; a change is a new version"
        raise InvalidPolicy(file=policy.name, field="version", reason=reason)
    store.add_policy(unit, {
        "tenant": unit.tenant, "name": policy.name, "version": policy.version, "body": policy.canonical,
        "sha256": policy.sha256, "status": "proposed", "effective_on": effective_on or unit.book_day(),
        "proposed_by": unit.actor, "proposed_at": unit.now, "approved_by": None, "approved_at": None,
    })  # fmt: skip
    return _view(store.policy_row(unit, policy.name, policy.version))


def approve(unit: Unit, name: str, version: int, *, shipped: bool = False) -> PolicyVersion:
    """As :meth:`Policies.approve`, inside an open unit; the shipped policy needs no second person."""
    row = store.policy_row(unit, name, version)
    if row.status == "approved":
        raise EventRefused(
            code="already_approved", subject=f"{name} version {version}", reason="is approved already"
        )
    if not shipped and four_eyes.insists(unit):
        four_eyes.require_another(row.proposed_by, unit.actor, f"policy {name} version {version}")
    if not shipped:
        day = max(row.effective_on, unit.book_day())
        guard_policy(unit, Policy.from_canonical(row.body), products.active(unit, PRODUCT), day)
    store.approve_policy(unit, name, version)
    return _view(store.policy_row(unit, name, version))


def register_shipped_policy(unit: Unit) -> None:
    """Give a new book the policy that comes with the library, approved."""
    policy = shipped_policy()
    propose(unit, policy)
    approve(unit, policy.name, policy.version, shipped=True)


def policy_in_force(unit: Unit, wanted: Policy | str | None, day: date) -> Policy:
    """The approved policy to decide by: a name's newest version in force, ``NAME@2``, or exactly the one given.

    On a day before the book had any version of it, the first it had. Raises NotFound, BadInput, and Refused
    (policy_not_approved, policy_not_in_force).
    """
    if isinstance(wanted, Policy):
        return _approved(unit, wanted)
    plain, version = _name_and_version(wanted or SHIPPED)
    if version is not None:
        return _approved(unit, stored_policy(unit, plain, version))
    approved = [row for row in store.policies(unit) if row.name == plain and row.status == "approved"]
    begun = [row for row in approved if row.effective_on <= max(day, _first_day(unit, approved))]
    if begun:
        return Policy.from_canonical(begun[-1].body)
    if not approved:
        raise NotFound(kind="approved policy", id=plain)
    later = min(approved, key=lambda row: row.effective_on)
    reason = f"policy {plain} version {later.version} is approved and in force from {later.effective_on}"
    raise Refused(code="policy_not_in_force", reason=reason, policy=plain, version=later.version)


def _first_day(unit: Unit, approved: Sequence[Row]) -> date:
    """The first day on which a version was in force, if that has come."""
    first = min((row.effective_on for row in approved), default=date.min)
    return first if first <= unit.book_day() else date.min


def _approved(unit: Unit, wanted: Policy) -> Policy:
    known = [row for row in store.policies(unit) if row.sha256 == wanted.sha256 and row.status == "approved"]
    if not known:
        reason = f"policy {wanted.name} version {wanted.version} is not approved in this book; propose and approve it first"
        raise Refused(code="policy_not_approved", reason=reason, policy=wanted.name, version=wanted.version)
    return wanted


def stored_policy(unit: Unit, name: str, version: int) -> Policy:
    """A version as it is on file, approved or not. Raises NotFound."""
    return Policy.from_canonical(store.policy_row(unit, name, version).body)


def named_policy(unit: Unit, name: str) -> Policy:
    """As :meth:`Policies.named`, inside an open unit."""
    plain, version = _name_and_version(name)
    return (
        policy_in_force(unit, plain, unit.book_day())
        if version is None
        else stored_policy(unit, plain, version)
    )


def _name_and_version(given: str) -> tuple[str, int | None]:
    plain, versioned, version = given.partition("@")
    if not versioned:
        return plain, None
    if not (version.isascii() and version.isdecimal()):
        raise BadInput(field="policy", value=given, reason="write NAME, or NAME@2 for exactly version 2")
    return plain, int(version[:9])


def _view(row: Row) -> PolicyVersion:
    return PolicyVersion(
        row.name, row.version, row.status, row.sha256, row.effective_on, row.proposed_by, row.proposed_at, row.approved_by,
        row.approved_at, loads(row.body),
    )  # fmt: skip
