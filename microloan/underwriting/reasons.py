"""Reason codes in words, and the wording of every step of the waterfall, in English and Chinese.

Codes are stable; wording may improve. Source: SEMANTICS 8 (reason codes in words, en and zh).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Weight = Literal["decline", "review", "score", "limit", "note"]
Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Wording:
    """What a code says in both languages, and how it weighs."""

    weight: Weight
    en: str
    zh: str


#: In order of precedence: a decision lists its reasons in this order.
REASONS: Final[dict[str, Wording]] = {
    "no_sales": Wording("decline", "no sale of this shop is known", "没有该店铺的销售记录"),
    "tenure_too_short": Wording(
        "decline",
        "days from the first sale to the data cut-off: {tenure}, at least {needed} are needed",
        "首笔销售至数据截止日共{tenure}天，至少需要{needed}天",
    ),
    "no_recent_sale": Wording(
        "decline",
        "the last sale was {days} days ago, at most {allowed} are allowed",
        "最近一笔销售距今{days}天，最多允许{allowed}天",
    ),
    "too_few_months": Wording(
        "decline",
        "months of sales: {blocks}, at least {needed} are needed",
        "仅有{blocks}个月的销售，至少需要{needed}个月",
    ),
    "orders_not_genuine": Wording(
        "decline",
        "{share} of the sales amount was flagged as not genuine",
        "{share}的销售额被判定为非真实交易",
    ),
    "too_many_violations": Wording("decline", "platform violations: {violations}", "平台违规{violations}次"),
    "overdue_with_us": Wording(
        "decline", "days past due on a loan with us: {days}", "在我方的贷款已逾期{days}天"
    ),
    "ring_written_off": Wording(
        "decline",
        "a loan was written off of {count} of the merchants that belong together with this one",
        "{count}个与其疑似同一控制的商户有贷款已核销",
    ),
    "score_too_low": Wording(
        "decline",
        "score {score} at {cut_off} is below the lowest grade's {needed}",
        "{cut_off}的评分{score}低于最低等级所需的{needed}",
    ),
    "limit_too_small": Wording(
        "decline",
        "the limit would be {limit}, the product starts at {minimum}",
        "可授信额度{limit}低于产品最低额度{minimum}",
    ),
    "data_stale": Wording(
        "review",
        "sales are known up to {covered_until} only; import the days since",
        "销售数据仅更新至{covered_until}，请补充此后的数据",
    ),
    "short_history": Wording(
        "review", "months of sales: only {blocks}; a person decides", "仅有{blocks}个月的销售记录，转人工审核"
    ),
    "daily_totals_only": Wording(
        "review", "only daily totals are known, no orders", "仅有每日汇总数据，没有订单明细"
    ),
    "few_accounts": Wording(
        "review", "accounts that buy, again and again: only {buyers}", "仅有{buyers}个账户反复购买"
    ),
    "accounts_apart": Wording(
        "review",
        "accounts that order far more often than all others make up {share} of the sales: a person decides",
        "少数账户的下单频率远高于其他买家，占销售额的{share}，转人工审核",
    ),
    "orders_flagged": Wording(
        "review", "{share} of the sales amount was flagged as not genuine", "{share}的销售额疑似非真实交易"
    ),
    "ring_overdue": Wording(
        "review",
        "{count} of the merchants that belong together with this one are past due, up to {days} days",
        "{count}个与其疑似同一控制的商户已逾期，最长{days}天",
    ),
    "ring_applications": Wording(
        "review",
        "{count} of the merchants that belong together with this one applied within {days} days",
        "{count}个与其疑似同一控制的商户在{days}天内申请授信",
    ),
    "ring_suspected": Wording(
        "review",
        "other merchants that seem to be one with this one: {count}; shared: {kinds}",
        "与其他{count}个商户疑似同一控制；共用：{kinds}",
    ),
    "ring_not_closed": Wording(
        "review",
        "there are more merchants around this one than are looked at; related parties counted: {counted}",
        "其周围的商户多于可查数量；已计入的关联方：{counted}个",
    ),
    "low_rating": Wording("review", "the shop's rating is {rating}", "店铺评分为{rating}"),
    "recent_sales_unproven": Wording(
        "limit",
        "sales younger than {days} days do not raise a limit yet",
        "{days}天以内的销售暂不用于提高额度",
    ),
    "product_cap": Wording(
        "limit", "the product's cap for one merchant limits the amount", "受产品单户上限限制"
    ),
    "regulatory_cap": Wording("limit", "a regulatory cap limits the amount", "受监管限额限制"),
    "counter_offer": Wording(
        "limit",
        "{asked} were asked for; {limit} can be granted: a counter-offer",
        "申请额度{asked}，可授信{limit}（反要约）",
    ),
    "related_parties": Wording(
        "limit",
        "related parties whose loans count towards the same caps: {count}",
        "{count}个关联方的贷款合并计入限额",
    ),
    "repayment_capacity": Wording(
        "limit", "what the sales can repay limits the amount", "受销售还款能力限制"
    ),
    "volatile_sales": Wording("limit", "sales vary strongly from week to week", "每周销售波动较大"),
    "refunds": Wording("limit", "{rate} of the sales were refunded", "退款率为{rate}"),
    "buyer_concentration": Wording(
        "limit", "one buyer makes {share} of the sales", "单一买家占销售额的{share}"
    ),
    "falling_sales": Wording("score", "sales have been falling", "销售额持续下滑"),
    "few_orders": Wording("score", "few orders in recent months", "近几个月订单较少"),
    "irregular_sales": Wording("score", "many days or weeks without an order", "较多天数或周数没有订单"),
    "not_selling_lately": Wording("score", "no sale for some time", "有一段时间没有销售"),
    "short_tenure": Wording("score", "short history", "经营时间较短"),
    "high_cancel_rate": Wording("score", "many orders are cancelled", "取消的订单较多"),
    "high_refund_rate": Wording("score", "many sales are refunded", "退款较多"),
    "few_buyers": Wording("score", "sales depend on few buyers", "销售依赖少数买家"),
    "past_fall": Wording("score", "sales fell far below an earlier level", "销售额曾大幅低于此前水平"),
    "flagged_orders": Wording("score", "some orders were flagged as not genuine", "部分订单疑似非真实交易"),
    "slow_settlement": Wording("score", "settlement takes long", "结算周期较长"),
    "identifier_of_many": Wording(
        "note",
        "shared with too many merchants to mean anything: {kinds}",
        "由过多商户共用，不作为关联依据：{kinds}",
    ),
    "strong_sales": Wording("note", "steady, proven sales", "销售稳定，记录良好"),
}

_PRECEDENCE: Final = {code: rank for rank, code in enumerate(REASONS)}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a decision: its stable code and the values its wording mentions."""

    code: str
    values: tuple[tuple[str, str], ...] = ()

    def text(self, language: Language = "en") -> str:
        """The reason in words.

        >>> Reason("too_few_months", (("blocks", "2"), ("needed", "3"))).text("zh")
        '仅有2个月的销售，至少需要3个月'
        """
        wording = REASONS.get(self.code)
        if wording is None:
            return self.code
        if language == "en":
            return wording.en.format_map(_Shown(self.values))
        return wording.zh.format_map(_Shown((name, _in_chinese(name, value)) for name, value in self.values))

    @property
    def weight(self) -> Weight:
        """Whether the reason declines, asks for a person, cost points, bounds the limit, or is a remark."""
        wording = REASONS.get(self.code)
        return wording.weight if wording else "score"


def reason(code: str, /, **values: object) -> Reason:
    """A reason with its values as text.

    >>> reason("no_recent_sale", days=45, allowed=30).text()
    'the last sale was 45 days ago, at most 30 are allowed'
    """
    return Reason(code, tuple((name, str(values[name])) for name in sorted(values)))


def in_precedence(reasons: list[Reason]) -> tuple[Reason, ...]:
    """The reasons in documented order, each code once; codes of a lender's own policy come last."""
    unique = {each.code: each for each in reversed(reasons)}
    return tuple(
        sorted(unique.values(), key=lambda each: (_PRECEDENCE.get(each.code, len(REASONS)), each.code))
    )


_KINDS_ZH: Final = {
    "account": "账号", "address": "地址", "device": "设备", "licence": "证照", "owner": "实际控制人", "phone": "电话",
}  # fmt: skip


def _in_chinese(name: str, value: str) -> str:
    """A value as the Chinese wording mentions it: kinds of identifiers in words, everything else as it is."""
    return "、".join(_KINDS_ZH.get(kind, kind) for kind in value.split(", ")) if name == "kinds" else value


class _Shown(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


#: How each step of the waterfall is made, in order; names in braces are the step's inputs.
STEPS: Final[dict[str, tuple[str, str]]] = {
    "score": ("score at the cut-off {cut_off}; grade: {grade}", "基准日{cut_off}的评分；等级：{grade}"),
    "score_mature": (
        "score at {cut_off}, of sales settled so far; grade: {grade}; the lower of the two grades stands",
        "{cut_off}的评分，仅计已结算的销售；等级：{grade}；取两者中较低的等级",
    ),
    "sales_received": ("all amounts placed in the last 365 days", "近365天全部下单金额"),
    "cancelled": ("less cancelled orders", "减：已取消订单"),
    "unsettled": ("less orders still unsettled after {days} days", "减：{days}天后仍未结算的订单"),
    "not_genuine": ("less orders flagged as not genuine", "减：判定为非真实交易的订单"),
    "refunded": ("less refunds", "减：退款"),
    "net_sales": ("net sales of the last 365 days", "近365天净销售额"),
    "basis": (
        "cut-off the limit is measured at, the lower result of {as_of} and {mature}",
        "额度计算基准日，取{as_of}与{mature}两者中较低的结果",
    ),
    "blocks": ("30-day blocks since the first sale, at most 12", "首笔销售以来的30天区间数，最多12个"),
    "typical_month": (
        "M: mean of the blocks without the highest and the lowest, or of the last 3 if lower",
        "M：去掉最高与最低区间后的月均净销售额，若近3个区间均值更低则取后者",
    ),
    "k": ("months of sales lent to grade {grade}", "{grade}级对应的销售月数倍数"),
    "volatility": (
        "1 / (1 + {variation}), variation of deseasonalised weekly sales",
        "1 ÷（1 + {variation}），去季节性周销售变异系数",
    ),
    "refunds": (
        "max(0, 1 − {slope} × max(0, {rate} − {free})), refund rate of 180 days",
        "max(0, 1 − {slope} ×max(0, {rate} − {free}))，近180天退款率",
    ),
    "concentration": (
        "min(1, {allowed} / {share}), share of the largest buyer",
        "min(1, {allowed} ÷ {share})，最大买家占比",
    ),
    "haircuts": (
        "product of the three, at least {floor} unless refunds or concentration alone are lower",
        "三项折扣之积，除非退款或集中度单项更低，否则不低于{floor}",
    ),
    "formula": ("k × M × haircuts", "倍数 × M × 折扣"),
    "formula_other": ("k × M × haircuts measured at {cut_off}", "以{cut_off}为基准日计算的 倍数 × M × 折扣"),
    "repayment_capacity": (
        "({margin} × {sweep_share} × M − {elsewhere} for debt elsewhere) × {months} / (1 + {rate} × {days})",
        "（{margin} × {sweep_share} × M − 其他债务{elsewhere}）× {months} ÷（1 + {rate} × {days}）",
    ),
    "product_cap": (
        "product cap {cap} − own exposure {exposure}",
        "产品单户上限{cap} − 在我方的余额{exposure}",
    ),
    "net_assets_cap": (
        "{share} of the lender's net assets {net_assets} − own exposure {exposure}",
        "贷款人净资产{net_assets}的{share} − 在我方的余额{exposure}",
    ),
    "related_cap": (
        "{share} of the lender's net assets {net_assets} − exposure with related parties {exposure}",
        "贷款人净资产{net_assets}的{share} − 含关联方余额{exposure}",
    ),
    "other_cap": ("{name}: {cap} − exposure {exposure}", "{name}：{cap} − 余额{exposure}"),
    "lowest": (
        "the lowest of the formula, the capacity and the caps, not below zero",
        "取公式额度、还款能力与各项上限中的最低值，不低于零",
    ),
    "rounded": ("rounded down to {step}", "向下取整至{step}"),
    "minimum": ("the least limit of the product", "产品最低额度"),
    "limit": ("the limit", "授信额度"),
    "seasonal_sales": ("net sales {first} to {last}", "{first}至{last}净销售额"),
    "seasonal_growth": ("min(1, year on year {growth})", "min(1, 同比{growth})"),
    "seasonal_formula": ("k × last year's sales × that factor", "倍数 × 去年同期销售 × 同比系数"),
    "seasonal_caps": ("what the caps leave beside the limit", "扣除授信额度后各项上限余额"),
    "seasonal_limit": ("temporary limit for {peak}, until {ends_on}", "{peak}临时额度，有效期至{ends_on}"),
}


def step_text(name: str, inputs: Mapping[str, str], language: Language = "en") -> str:
    """How a step of the waterfall is made, in words with its inputs.

    >>> step_text("k", {"grade": "A"})
    'months of sales lent to grade A'
    """
    english, chinese = STEPS[name]
    if language == "en":
        return english.format_map(_Shown(inputs))
    return chinese.format_map(_Shown({key: _ABSENT_ZH.get(value, value) for key, value in inputs.items()}))


#: What stands for an input that is not there.
_ABSENT_ZH: Final = {"not set": "（未设置）", "not known": "（未知）", "none": "（无）"}
