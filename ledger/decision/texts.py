"""Every reason in plain words for the borrower, in English and Chinese: the figure, the limit, what would help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ledger.decision.policy import DecisionPolicy
from ledger.decision.reason import Reason, Unit
from ledger.positions.classification import Classification

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Text:
    """what: has {figure}, {limit} and {members}. change: what would change the outcome; has {change}, too."""

    what: str
    change: str


TEXTS: Mapping[str, Mapping[str, Text]] = MappingProxyType(
    {
        "en": MappingProxyType(
            {
                "SERVICE_TO_INCOME": Text(
                    "With this loan, your monthly payments to all lenders would be {figure} of your monthly income; "
                    "up to {limit} is accepted.",
                    "It would fit if the monthly payments were {change} lower.",
                ),
                "DEBT_TO_INCOME": Text(
                    "With this loan, what you owe at all lenders would be {figure} of a month's income; "
                    "up to {limit} is accepted.",
                    "It would fit if you owed {change} less, or asked for that much less.",
                ),
                "BORROWER_CAP": Text(
                    "With this loan, you would owe {figure} at all lenders; the cap for one borrower is {limit}.",
                    "It would fit if you owed {change} less, or asked for that much less.",
                ),
                "LENDERS": Text(
                    "With this loan, {figure} lenders would have an open loan to you; up to {limit} are accepted.",
                    "It would fit if the loans of {change} of these lenders were repaid and closed.",
                ),
                "WORST_CLASS": Text(
                    "A lender classifies a loan of yours as {figure}; from {limit} on this counts against a new loan.",
                    "It would change once that loan is brought up to date and its lender has reported a better class.",
                ),
                "OVERDUE": Text(
                    "At one lender {figure} or more is overdue; accepted is at most {limit}.",
                    "It would change once what is overdue has been paid; the next report of that lender shows it.",
                ),
                "INQUIRIES": Text(
                    "Other lenders asked about you {figure} times in 30 days, before a loan; "
                    "up to {limit} are accepted.",
                    "It changes by itself as these inquiries grow older than 30 days.",
                ),
                "INQUIRIES_RISING": Text(
                    "Other lenders asked about you {figure} times in the last 30 days, before a loan; "
                    "in the 60 days before it was {limit} times.",
                    "It changes by itself as these inquiries grow older than 30 days.",
                ),
                "ROLLING_DEBT": Text(
                    "In {figure} of the last months a loan seems to have been repaid with a new one elsewhere; "
                    "up to {limit} are accepted.",
                    "It changes with every month in which what you owe in all does not grow as you repay.",
                ),
                "INCOME_UNKNOWN": Text(
                    "Your monthly income is not known to us.", "Proof of your income would let us decide."
                ),
                "AMOUNTS_WITHHELD": Text(
                    "The sums over all lenders cannot be told at this moment, to protect single lenders' figures.",
                    "A person looks at your application; your own statements of account help.",
                ),
                "LENDERS_LEFT_OUT": Text(
                    "The records of {figure} lenders could not be counted for sure.",
                    "A person looks at your application; statements of account from your lenders help.",
                ),
                "STALE_DATA": Text(
                    "{figure} lenders have not reported for a while; something you repaid there may not show yet.",
                    "It changes with these lenders' next report. You may open a dispute where it does not.",
                ),
                "OPEN_DISPUTE": Text(
                    "You dispute {figure} of the figures reported about you. "
                    "No application is declined automatically while that is open.",
                    "The lenders concerned must answer within 72 hours.",
                ),
            }
        ),
        "zh": MappingProxyType(
            {
                "SERVICE_TO_INCOME": Text(
                    "加上本笔贷款,您在所有机构的每月还款将占月收入的 {figure},可接受的上限为 {limit}。",
                    "若每月还款减少 {change},即可符合要求。",
                ),
                "DEBT_TO_INCOME": Text(
                    "加上本笔贷款,您在所有机构的欠款总额将为月收入的 {figure},可接受的上限为 {limit}。",
                    "若欠款或本次申请金额减少 {change},即可符合要求。",
                ),
                "BORROWER_CAP": Text(
                    "加上本笔贷款,您在所有机构的欠款总额将为 {figure},单个借款人的上限为 {limit}。",
                    "若欠款或本次申请金额减少 {change},即可符合要求。",
                ),
                "LENDERS": Text(
                    "加上本笔贷款,将有 {figure} 家机构对您有未结清贷款,可接受的上限为 {limit} 家。",
                    "若结清其中 {change} 家机构的贷款,即可符合要求。",
                ),
                "WORST_CLASS": Text(
                    "有机构将您的一笔贷款分类为“{figure}”;自“{limit}”起会影响新的贷款。",
                    "该笔贷款恢复正常、且该机构上报更好的分类之后,结果会改变。",
                ),
                "OVERDUE": Text(
                    "您在一家机构的逾期金额不低于 {figure},可接受的上限为 {limit}。",
                    "还清逾期款项后,该机构下一次上报即可体现。",
                ),
                "INQUIRIES": Text(
                    "近 30 天内其他机构因贷前审查查询您 {figure} 次,可接受的上限为 {limit} 次。",
                    "这些查询超过 30 天后会自动不再计入。",
                ),
                "INQUIRIES_RISING": Text(
                    "近 30 天内其他机构因贷前审查查询您 {figure} 次,而之前的 60 天内为 {limit} 次。",
                    "这些查询超过 30 天后会自动不再计入。",
                ),
                "ROLLING_DEBT": Text(
                    "近几个月中有 {figure} 个月似乎以新贷款偿还旧贷款,可接受的上限为 {limit} 个月。",
                    "只要还款的同时欠款总额不再增加,每过一个月情况都会改善。",
                ),
                "INCOME_UNKNOWN": Text("我们尚不了解您的月收入。", "提供收入证明后即可评估。"),
                "AMOUNTS_WITHHELD": Text(
                    "为保护单个机构的数据,目前无法给出各机构合计金额。",
                    "您的申请将由人工审核;您可以提供各机构的账单。",
                ),
                "LENDERS_LEFT_OUT": Text(
                    "有 {figure} 家机构的记录无法确认,未能计入。",
                    "您的申请将由人工审核;您可以提供相关机构的账单。",
                ),
                "STALE_DATA": Text(
                    "有 {figure} 家机构一段时间没有上报,您在那里的还款可能尚未体现。",
                    "这些机构下一次上报后会更新;若仍未更新,您可以提出异议。",
                ),
                "OPEN_DISPUTE": Text(
                    "您对 {figure} 项上报信息提出了异议。异议处理期间,任何申请都不会被自动拒绝。",
                    "相关机构须在 72 小时内答复。",
                ),
            }
        ),
    }
)

_CLASSES = {
    "en": {each: each.label for each in Classification},
    "zh": dict(zip(Classification, ("正常", "关注", "次级", "可疑", "损失"), strict=True)),
}


def what(reason: Reason, language: str, policy: DecisionPolicy) -> str:
    """The reason for the borrower."""
    return _filled(TEXTS[language][reason.code].what, reason, language, policy)


def change(reason: Reason, language: str, policy: DecisionPolicy) -> str:
    """What would change the outcome."""
    return _filled(TEXTS[language][reason.code].change, reason, language, policy)


def _filled(text: str, reason: Reason, language: str, policy: DecisionPolicy) -> str:
    return text.format(
        figure=_shown(reason.figure, reason.unit, language, policy),
        limit=_shown(reason.threshold, reason.unit, language, policy),
        change=_shown(reason.change, reason.change_unit, language, policy),
    )


def _shown(figure: int | None, unit: Unit, language: str, policy: DecisionPolicy) -> str:
    if figure is None:
        return ""
    if unit is Unit.PERMILLE:
        return f"{figure // 10:,}.{figure % 10} %"
    if unit is Unit.MINOR:
        digits = len(str(policy.minor_per_major)) - 1
        whole, part = divmod(figure, policy.minor_per_major)
        return f"{whole:,}" + (f".{part:0{digits}d}" if digits else "") + f" {policy.currency}"
    if unit is Unit.CLASS:
        return _CLASSES[language][Classification(figure)]
    return f"{figure:,}"
