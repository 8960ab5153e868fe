"""Every event in plain words for the lender's staff, in English and Chinese. No identity stands in them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ledger.monitoring.event import Event, EventUnit
from ledger.positions.classification import Classification

TEXTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "en": MappingProxyType(
            {
                "NEW_LENDER": "{now} other lenders now have an open loan to this borrower; it was {before}.",
                "SETTLED": "A debt elsewhere is settled: {now} other lenders have an open loan; it was {before}.",
                "EXPOSURE_UP": "What is owed at all lenders rose by more than {limit}: from {before} to {now}.",
                "EXPOSURE_MAY_BE_UP": (
                    "Sums are withheld, but the bands moved up by more than {limit}: "
                    "at least {now} is owed at all lenders; it was at least {before}."
                ),
                "WORSE_CLASS": "A lender's classification is worse: {now}; the worst was {before}.",
                "OVERDUE": "For the first time something is overdue at a lender: {now} or more.",
                "INQUIRIES": (
                    "Other lenders asked {now} times before a loan in the last 30 days, which is more than {limit}; "
                    "it was {before}."
                ),
                "HEADROOM_GONE": (
                    "By the decision policy nothing more can be approved without a person; it was {before}."
                ),
                "NEW_DISPUTE": "{now} disputes of this borrower are open; it was {before}.",
                "CONSENT_ENDED": "The borrower's consent has ended, and with it the watch.",
            }
        ),
        "zh": MappingProxyType(
            {
                "NEW_LENDER": "现有 {now} 家其他机构对该借款人有未结清贷款,此前为 {before} 家。",
                "SETTLED": "该借款人在其他机构的一笔债务已结清:现有 {now} 家其他机构有未结清贷款,此前为 {before} 家。",
                "EXPOSURE_UP": "各机构欠款总额上升超过 {limit}:由 {before} 升至 {now}。",
                "EXPOSURE_MAY_BE_UP": (
                    "合计金额未披露,但区间上移超过 {limit}:欠款总额至少为 {now},此前至少为 {before}。"
                ),
                "WORSE_CLASS": "有机构的贷款分类变差:现为“{now}”,此前最差为“{before}”。",
                "OVERDUE": "首次在一家机构出现逾期,金额不低于 {now}。",
                "INQUIRIES": "近 30 天内其他机构因贷前审查查询 {now} 次,超过 {limit} 次,此前为 {before} 次。",
                "HEADROOM_GONE": "按决策政策,未经人工审核已不能再批准任何贷款;此前可批准 {before}。",
                "NEW_DISPUTE": "该借款人有 {now} 项异议尚未处理,此前为 {before} 项。",
                "CONSENT_ENDED": "借款人的授权已到期,监测随之停止。",
            }
        ),
    }
)

LANGUAGES = tuple(TEXTS)
_CLASSES: Mapping[str, Mapping[Classification, str]] = MappingProxyType(
    {
        "en": {each: each.label for each in Classification},
        "zh": dict(zip(Classification, ("正常", "关注", "次级", "可疑", "损失"), strict=True)),
    }
)
_NOTHING = {"en": "none", "zh": "无"}


def text(event: Event, language: str, currency: str, minor_per_major: int) -> str:
    """The event for people."""

    def shown(figure: int | None, unit: EventUnit) -> str:
        if figure is None:
            return _NOTHING[language]
        if unit is EventUnit.MINOR:
            digits = len(str(minor_per_major)) - 1
            whole, part = divmod(figure, minor_per_major)
            return f"{whole:,}" + (f".{part:0{digits}d}" if digits else "") + f" {currency}"
        if unit is EventUnit.CLASS:
            return _CLASSES[language][Classification(figure)]
        return f"{figure:,} %" if unit is EventUnit.PERCENT else f"{figure:,}"

    return TEXTS[language][event.code].format(
        before=shown(event.before, event.unit),
        now=shown(event.now, event.unit),
        limit=shown(event.limit, event.limit_unit),
    )
