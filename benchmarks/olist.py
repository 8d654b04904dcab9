"""Underwriting measured on the public Olist order lines: ranking beside three baselines, and money lent beside the common rule.

    python benchmarks/olist.py
    python benchmarks/olist.py --validate

The first measures, the second is what to choose by: it fits and tests on outcomes known before February 2018 alone, so that
the test months are kept for measuring.

The data are not part of the project. They are looked for in ``../shared/data/olist/order_lines.csv.gz`` beside the checkout,
or where ``MICROLOAN_OLIST`` points. Needs the extra ``fit``.

Outcome: net sales of the 90 days after the decision day below half of the mean 90-day sales of the preceding 180; shops with
sales in at least six calendar months before. Decision days: the first of every month, September 2017 to May 2018. Fitted is
only on days whose 90 days ended before 1 February 2018; tested on February to May 2018.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from microloan.underwriting import Policy, SalesLines, sales_lines, shipped_policy
from microloan.underwriting.backtest import BackTest, Month, backtest, part
from microloan.underwriting.features import Column
from microloan.underwriting.fitting import Cases, Fitted, cases_of_lines, fit, score_cases
from microloan.underwriting.outcome import HORIZON_DAYS, auc

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(
    os.environ.get("MICROLOAN_OLIST", ROOT.parent / "shared" / "data" / "olist" / "order_lines.csv.gz")
)
FIT_FIRST, FIT_LAST = date(2017, 6, 1), date(2017, 11, 2)
FIRST, LAST = date(2017, 9, 1), date(2018, 5, 1)
TEST_FIRST = date(2018, 2, 1)
VALIDATED = [date(2017, month, 1) for month in range(8, 12)]
SPLITS, PARTS = 3, 5
DAYS = [date(2017 + (month > 12), (month - 1) % 12 + 1, 1) for month in range(9, 18)]
Rank = Callable[[Cases], np.ndarray]


def read() -> SalesLines:
    """The order lines, amounts in centavos."""
    frame = pd.read_csv(DATA, dtype=str, keep_default_na=False)
    return sales_lines(frame.astype({"amount_minor": "int64", "refund_minor": "int64"}), currency="BRL")


def pooled(parts: Sequence[Cases], rank: Rank) -> str:
    """AUC of a ranking over the cases of several days together."""
    found = auc(np.concatenate([rank(each) for each in parts]), np.concatenate([each.bad for each in parts]))
    return "  n/a" if found is None else f"{found:.4f}"


def by_feature(name: str, worse: int) -> Rank:
    """Riskier the higher (worse = 1) or the lower (-1) the feature; missing is riskiest."""

    def rank(cases: Cases) -> np.ndarray:
        column = cases.columns[name]
        return np.where(column.missing, np.inf, worse * column.values.astype(np.float64))

    return rank


def by_policy(policy: Policy) -> Rank:
    """Riskier the lower the score."""
    return lambda cases: -score_cases(cases, policy, "BRL")


def matrix(cases: Cases, names: Iterable[str]) -> np.ndarray:
    """The features as numbers, missing ones as NaN."""
    return np.column_stack([
        np.where(cases.columns[n].missing, np.nan, cases.columns[n].values.astype(np.float64)) for n in names
    ])  # fmt: skip


def boosted(cases: Cases) -> Rank:
    """A gradient-boosted model with its default settings on every feature that is ever known."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    known = [n for n, c in cases.columns.items() if len(np.unique(c.values[~c.missing])) > 1]
    model = HistGradientBoostingClassifier(random_state=0)
    model.fit(matrix(cases, known), cases.bad, sample_weight=cases.weight * len(cases) / cases.weight.sum())
    return lambda other: model.predict_proba(matrix(other, known))[:, 1]


def of_shops(cases: Cases, chosen: np.ndarray) -> Cases:
    """The cases of some of the shops: *chosen* has a truth for every shop."""
    rows = chosen[cases.group]
    columns = {name: Column(c.values[rows], c.missing[rows]) for name, c in cases.columns.items()}
    return replace(
        cases, columns=columns, bad=cases.bad[rows], group=cases.group[rows], weight=cases.weight[rows]
    )


def shops_of(parts: Sequence[Cases]) -> np.ndarray:
    """The numbers of all shops that the cases may be of."""
    return np.arange(1 + max(int(each.group.max()) for each in parts))


def across_shops(early: Cases, test: Sequence[Cases], template: Policy) -> str:
    """Fitted on one half of the shops early, tested on the other half later; both ways, pooled."""
    ranks, bads = [], []
    for half in (0, 1):
        left = shops_of([early, *test]) % 2 == half
        fitted = fit(of_shops(early, left), template, name="half", currency="BRL")
        for each in test:
            other = of_shops(each, ~left)
            ranks.append(by_policy(fitted.policy)(other))
            bads.append(other.bad)
    found = auc(np.concatenate(ranks), np.concatenate(bads))
    return f"{found:.4f}"


def ranking(early: Cases, monthly: Sequence[Cases], fitted: Fitted) -> None:
    """AUC of scores and baselines, on the months after the fit and on all nine."""
    late = [each for each in monthly if each.days[0] >= TEST_FIRST]
    shipped = shipped_policy()
    rows: list[tuple[str, Rank]] = [
        ("baseline: sales of the last 90 days", by_feature("sales_90d", -1)),
        ("baseline: days since the last sale", by_feature("days_since_last_sale", 1)),
        ("baseline: gradient boosting, all features", boosted(early)),
        ("best single feature (momentum_orders)", by_feature("momentum_orders", -1)),
        ("shipped policy", by_policy(shipped)),
        ("fitted policy", by_policy(fitted.policy)),
    ]
    print(f"{'AUC':44}{'2018-02…05':>12}{'2017-09…2018-05':>17}")
    for name, rank in rows:
        print(f"{name:44}{pooled(late, rank):>12}{pooled(monthly, rank):>17}")
    print(f"{'fitted on half the shops, tested on the rest':44}{across_shops(early, late, shipped):>12}")


def money(found: BackTest) -> None:
    """Share of the limits granted to shops that then collapsed, beside the common rule at equal total."""
    for result in found.results:
        late = [month for month in result.months if month.as_of >= TEST_FIRST]
        for label, months in (("2018-02…05", late), ("2017-09…2018-05", list(result.months))):
            print(f"{result.name:12} {label:16} {_shares(months)}")


def _shares(months: Sequence[Month]) -> str:
    total = {
        name: sum(getattr(month, name) for month in months)
        for name in ("judged_limit_minor", "collapsed_limit_minor", "rule_collapsed_minor", "approved", "merchants")
    }  # fmt: skip
    ours, rule = total["collapsed_limit_minor"], total["rule_collapsed_minor"]
    return (
        f"to collapsed {part(ours, total['judged_limit_minor'])}, common rule "
        f"{part(rule, total['judged_limit_minor'])}: {100 - 100 * ours / rule:.1f}% lower; "
        f"approved {part(total['approved'], total['merchants'])}, limits BRL {total['judged_limit_minor'] // 100:,}"
    )


def validate(lines: SalesLines, template: Policy) -> None:
    """AUC of the fit on shops left out of it: fitted on all early days, and only on what was known by each month."""
    known = lines.take(lines.paid_day < TEST_FIRST.toordinal())
    every = cases_of_lines(known, template, first=FIT_FIRST, last=FIT_LAST)
    start = FIT_FIRST - timedelta(days=8 * 7)  # so that the first month, too, has outcomes known by then
    by_then = [
        cases_of_lines(known, template, first=start, last=day - timedelta(days=HORIZON_DAYS))
        for day in VALIDATED
    ]
    print(f"{'AUC on shops left out, 2017-08…11':44}{'any time':>17}{'forward':>17}")
    for least in (6, 3):
        later = [
            cases_of_lines(known, template, first=day, last=day, least_months=least) for day in VALIDATED
        ]
        shown = (_validated(each, later, template) for each in ([every] * len(later), by_then))
        print(f"{f'fitted policy, shops with {least} months':44}" + "".join(f"{text:>17}" for text in shown))


def _validated(early: Sequence[Cases], later: Sequence[Cases], template: Policy) -> str:
    """Mean and standard deviation over the splits, each fitted on four parts of the shops and tested on the fifth."""
    shops = shops_of([*early, *later])
    found = []
    for seed in range(SPLITS):
        part_of = np.random.default_rng(seed).permutation(shops) % PARTS
        ranks, bads = [], []
        for number in range(PARTS):
            out = part_of == number
            for policy, each in zip(_fitted_without(early, out, template), later, strict=True):
                ranks.append(by_policy(policy)(of_shops(each, out)))
                bads.append(of_shops(each, out).bad)
        found.append(auc(np.concatenate(ranks), np.concatenate(bads)) or 0.5)
    return f"{np.mean(found):.4f} ± {np.std(found):.4f}"


def _fitted_without(early: Sequence[Cases], out: np.ndarray, template: Policy) -> list[Policy]:
    """A policy for each of *early*, fitted without the shops that are *out*; the same cases are fitted once."""
    made: dict[int, Policy] = {}
    for each in early:
        if id(each) not in made:
            made[id(each)] = fit(of_shops(each, ~out), template, name="part", currency="BRL").policy
    return [made[id(each)] for each in early]


def main() -> None:
    asked = argparse.ArgumentParser(description="underwriting on the Olist order lines")
    asked.add_argument(
        "--validate", action="store_true", help="choose by outcomes known before February 2018"
    )
    only_validate = asked.parse_args().validate
    if not DATA.exists():
        raise SystemExit(f"no data at {DATA}: set MICROLOAN_OLIST to order_lines.csv.gz")
    begun = time.perf_counter()
    lines, shipped = read(), shipped_policy()
    if only_validate:
        validate(lines, shipped)
        return
    early = cases_of_lines(lines, shipped, first=FIT_FIRST, last=FIT_LAST)
    monthly = [cases_of_lines(lines, shipped, first=day, last=day, least_months=6) for day in DAYS]
    print(f"{len(lines):,} lines of {len(lines.shops):,} shops; {len(early):,} cases to fit on ({FIT_FIRST} to {FIT_LAST}, "
          f"{early.bad.mean():.1%} collapsed); tested on "
          + ", ".join(f"{c.days[0]:%Y-%m}: {len(c)} {c.bad.mean():.0%}" for c in monthly))  # fmt: skip
    fitted = fit(early, shipped, name="fitted", currency="BRL")
    ranking(early, monthly, fitted)
    found = backtest(lines, shipped, FIRST, LAST, against=fitted.policy, currency="BRL")
    money(found)
    for result in found.results:
        print(f"{result.name}: calibration (grade cases told happened) " + "; ".join(
            f"{g.grade or 'below'} {g.cases} {g.predicted} {g.observed}" for g in result.grades))  # fmt: skip
    print(f"{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
