"""Products and policies: check a file, propose it, approve it (with four eyes on: another person), look."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any

import typer

from .arguments import File, Name, day
from .backtest import policy_fit
from .documents import document, json_text, listed
from .options import commands, group
from .render import Note
from .run import Answer, Run
from .view import View

VERSION = "name version currency status sha256 proposed_by proposed_at approved_by approved_at"
POLICY = "name version status sha256 effective_on proposed_by proposed_at approved_by approved_at"
POLICIES = "name version status effective_on proposed_by approved_by"
VERSIONS = "name version currency status proposed_by approved_by"

Version = Annotated[int, typer.Argument(metavar="VERSION", help="A proposed version", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    product = group(
        "Products: versioned files, proposed and then approved; with four eyes on, by two people."
    )
    app.add_typer(product, name="product")
    commands(product, {"check": check, "propose": propose, "approve": approve, "list": list_, "show": show})
    policy = group("Policies: versioned files, proposed and then approved; with four eyes on, by two people.")
    app.add_typer(policy, name="policy")
    commands(policy, {"check": policy_check, "propose": policy_propose, "approve": policy_approve})
    commands(policy, {"fit": policy_fit, "list": policy_list, "show": policy_show})


def check(run: Run, file: File) -> Answer:
    """Read a product file and say what is wrong with it. No database.

    Example:
      microloan product check product.toml
    """
    from microloan import Product

    product = Product.load(file)
    values = {
        "name": product.name,
        "version": product.version,
        "currency": product.currency,
        "sha256": product.sha256,
    }
    view = View(run.messages)
    return Answer({**values, "product": product.canonical()}, (view.facts("product", values, VERSION),))


def propose(run: Run, file: File) -> Answer:
    """Put a new version of a product on file; it lends nothing until approved.

    Example:
      microloan product propose product.toml
    """
    from microloan import Product

    return _product(run, run.book.products.propose(Product.load(file), idempotency_key=run.options.key))


def approve(run: Run, name: Name, version: Version) -> Answer:
    """Make a proposed version the one new offers use; with four eyes on, not by who proposed it.

    Example:
      microloan product approve marketplace 2 --actor boss
    """
    return _product(run, run.book.products.approve(name, version, idempotency_key=run.options.key))


def list_(run: Run) -> Answer:
    """All versions of all products.

    Example:
      microloan product list
    """
    values = listed(run.book.products.list(), "", "products")
    return Answer(values, (View(run.messages).table("products", values["products"], VERSIONS),))


def show(
    run: Run,
    name: Name,
    version: Annotated[int | None, typer.Option("--version", metavar="N", help="Else the active one")] = None,
) -> Answer:
    """A version of a product, whole.

    Example:
      microloan product show marketplace
    """
    answer = _product(run, run.book.products.show(name, version))
    return replace(answer, blocks=(*answer.blocks, _content(answer.document["product"])))


def _product(run: Run, version: Any) -> Answer:
    values = document(version)
    return Answer(values, (View(run.messages).facts("product", values, VERSION),))


def _content(content: Any) -> Note:
    return Note(json_text(content).rstrip())


def policy_check(run: Run, file: File) -> Answer:
    """Read a policy file and say everything that is wrong with it. No database.

    Example:
      microloan policy check policy.toml
    """
    from microloan.underwriting import load_policy

    policy = load_policy(str(file))
    values = {"name": policy.name, "version": policy.version, "sha256": policy.sha256}
    facts = View(run.messages).facts("policy", values, VERSION)
    return Answer({**values, "policy": json.loads(policy.canonical)}, (facts,))


def policy_propose(
    run: Run,
    file: File,
    effective_on: Annotated[
        str | None,
        typer.Option("--effective-on", metavar="YYYY-MM-DD", help="Decides from that day, else at once"),
    ] = None,
) -> Answer:
    """Put a new version of a policy on file; it decides nothing until approved.

    Example:
      microloan policy propose policy.toml
    """
    done = run.book.underwriting.policies.propose(
        file, effective_on=day(effective_on, "--effective-on"), idempotency_key=run.options.key
    )
    return _policy(run, done)


def policy_approve(run: Run, name: Name, version: Version) -> Answer:
    """Let a proposed version decide; with four eyes on, not by who proposed it.

    Example:
      microloan policy approve marketplace 2 --actor boss
    """
    return _policy(
        run, run.book.underwriting.policies.approve(name, version, idempotency_key=run.options.key)
    )


def policy_list(run: Run) -> Answer:
    """All versions of all policies.

    Example:
      microloan policy list
    """
    values = listed(run.book.underwriting.policies.list(), "", "policies")
    return Answer(values, (View(run.messages).table("policies", values["policies"], POLICIES),))


def policy_show(
    run: Run,
    name: Name,
    version: Annotated[
        int | None, typer.Option("--version", metavar="N", help="Else the one in force")
    ] = None,
) -> Answer:
    """A version of a policy, whole.

    Example:
      microloan policy show marketplace
    """
    answer = _policy(run, run.book.underwriting.policies.show(name, version))
    return replace(answer, blocks=(*answer.blocks, _content(answer.document["policy"])))


def _policy(run: Run, version: Any) -> Answer:
    values = document(version)
    return Answer(values, (View(run.messages).facts("policy", values, POLICY),))
