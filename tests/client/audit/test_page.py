from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from client.audit.page import chart, document
from client.audit.page.document import MOST
from client.audit.page.markup import element, text
from client.audit.page.reasons import REASONS, reason
from client.audit.reading.timeline import DAY, HOUR
from tests.client.audit.sample_facts import NOW, facts, finding, hostile, large, log
from tests.client.audit.world import MEMBERS, Served, audit

VOID = {"meta"}


class Reader(HTMLParser):
    """Elements as a browser sees them; fails where they are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.names.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data) -> None:
        self.texts.append(data)

    @classmethod
    def of(cls, page: str) -> Reader:
        reader = cls()
        reader.feed(page)
        reader.close()
        assert reader._open == []
        return reader

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


PAGES = {
    "honest": lambda: audit(proofs=True).facts(),
    "rotten": lambda: audit(Served("lender-1", entries_of=lambda m, i, e: e[:-1] if i == 5 else e)).facts(),
    "large": large,
    "hostile": hostile,
    "empty": lambda: facts([log("lender-1", 0), log("lender-2", 0)]),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_needs_nothing_from_elsewhere(name) -> None:
    reader = Reader.of(document(PAGES[name](), NOW))
    assert not {"script", "link", "img", "iframe", "object", "a", "form", "base"} & set(reader.names)
    assert not [key for key, _ in reader.attributes if key.startswith("on") or key in ("src", "href", "style")]
    page = document(PAGES[name](), NOW)
    assert "url(" not in page
    assert "@import" not in page
    assert "http:" not in page
    assert "https:" not in page


def test_text_from_hostile_parties_is_text_and_nothing_else() -> None:
    page = document(hostile(), NOW)
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    shown = Reader.of(page).text
    assert shown.count("<script>alert('1')</script>\"&") > 20


@pytest.mark.parametrize("raw", ["<b>", '"', "'", "&amp;", "\u202e", "\x00", "a\nb", "\u2066x"])
def test_what_is_no_markup_is_escaped_in_text_and_in_attributes(raw) -> None:
    reader = Reader.of(element("p", raw, title=raw))
    assert reader.names == ["p"]
    assert all(character.isprintable() for character in text(raw))
    expected = " ".join("".join(c if c.isprintable() else " " for c in raw).split())
    assert (reader.text, reader.attributes) == (expected, [("title", expected)])


def test_the_verdict_stands_first_with_what_was_checked_and_what_was_not() -> None:
    report = audit(Served("lender-1"), Served("lender-3", is_down=True))
    shown = Reader.of(document(report.facts(), NOW)).text
    assert shown.index("Everything checked holds.") < shown.index("What was checked") < shown.index("What was not")
    assert "lender-3 did not answer" in shown
    assert "(--no-proofs)" in shown
    assert "(--state)" in shown
    assert "(--no-proofs)" not in Reader.of(document(audit(proofs=True).facts(), NOW)).text
    assert "(--no-peers)" in Reader.of(document(audit(peers=False).facts(), NOW)).text
    assert "(--state)" not in Reader.of(document(facts([log("lender-1", since=7)]), NOW)).text


def test_a_finding_says_who_where_why_and_what_to_do() -> None:
    rotten = Served("lender-1", entries_of=lambda m, i, e: e[:-1] if (m, i) == ("lender-3", 5) else e)
    shown = Reader.of(document(audit(rotten).facts(), NOW)).text
    assert "One thing is wrong." in shown
    assert "lender-3, entry 5" in shown
    assert REASONS["ROOT_MISMATCH"].meaning in shown
    assert REASONS["ROOT_MISMATCH"].advice in shown


def test_what_could_not_be_checked_is_no_clean_bill() -> None:
    left = finding("lender-2", 3, "NO_HEADS", "an inquiry names heads that nobody shows")
    report = facts([log("lender-1")], unchecked=[left], verdict="incomplete", remarks=[left])
    shown = Reader.of(document(report, NOW)).text
    assert "not everything could be checked" in shown
    assert "Everything checked holds." not in shown
    assert shown.count("lender-2, entry 3: an inquiry names heads that nobody shows [NO_HEADS]") == 2


def test_a_log_tells_how_far_it_is_witnessed_and_when_its_author_spoke() -> None:
    known = log("lender-1", 50, witnessed={"size": 48, "time": NOW - 60}, heartbeat=NOW - 4)
    assert "48 1 min ago 4 s ago" in Reader.of(document(facts([known]), NOW)).text
    asked_nobody = log("lender-1", 50, witnessed={"size": 48, "time": None})
    assert "48 - -" in Reader.of(document(facts([asked_nobody]), NOW)).text


def test_every_log_has_its_row() -> None:
    report = audit()
    shown = Reader.of(document(report.facts(), NOW)).text
    for each in report.logs:
        assert f"{each.member} {each.head.size:,} " in shown
        assert each.head.root.hex()[:12] in shown


def test_millions_of_findings_do_not_make_a_page_of_millions() -> None:
    many = [finding("lender-1", index, "BAD_PROOF", "no") for index in range(MOST + 7)]
    reader = Reader.of(document(facts([log("lender-1")], many), NOW))
    assert reader.names.count("article") == MOST
    assert "and 7 more" in reader.text


def test_findings_of_earlier_rounds_and_acknowledged_ones_are_shown_apart() -> None:
    old = finding("lender-2", None, "SHRUNK", "it has shrunk") | {"id": "abcd1234", "first": NOW}
    report = facts([log("lender-1")], earlier=[old], verdict="bad")
    shown = Reader.of(document(report, NOW)).text
    assert "One thing is wrong. About lender-2. 1 of it was found earlier, and" in shown
    assert "abcd1234" in shown
    known = Reader.of(document(facts([log("lender-1")], acknowledged=[old]), NOW)).text
    assert "Everything checked holds." in known
    assert "Acknowledged lender-2" in known


# -- the chart


def timeline(counts: list[list[int]], width: int = HOUR, untimed: int = 0) -> dict:
    return {"width": width, "counts": counts, "untimed": untimed}


def test_all_entries_are_in_the_bars_or_told_of() -> None:
    for each in large()["logs"]:
        assert sum(count for _, count in each["timeline"]["counts"]) == each["size"]
    plan = chart.plan([(each["origin"], each["timeline"]) for each in large()["logs"]], NOW)
    assert plan.bars <= chart.BARS
    for row, each in zip(plan.rows, large()["logs"], strict=True):
        assert sum(row.counts.values()) + row.before + row.after == each["size"]


def test_rows_of_different_widths_stand_over_one_time() -> None:
    day = NOW // DAY * DAY
    plan = chart.plan(
        [("a", timeline([[day, 2], [day + HOUR, 3]])), ("b", timeline([[day - DAY, 4]], DAY, untimed=2))], NOW
    )
    assert (plan.width, plan.start, plan.bars) == (DAY, day - DAY, 2)
    assert [dict(row.counts) for row in plan.rows] == [{day: 5}, {day - DAY: 4}]
    assert chart.remarks(plan) == ["b: entries not drawn: 2 without a time that can be"]


def test_a_liar_about_time_cannot_squeeze_the_others() -> None:
    honest = [[NOW // HOUR * HOUR - hour * HOUR, 40] for hour in range(48, 0, -1)]
    lies = [[1_420_070_400, 1], [4_000_000_000 // HOUR * HOUR, 1]]
    plan = chart.plan([("honest", timeline(honest)), ("liar", timeline(lies))], NOW)
    assert (plan.width, plan.bars) == (HOUR, 48)
    (said,) = chart.remarks(plan)
    assert said.startswith("liar: entries not drawn: 1 before the time shown, 1 later")


@pytest.mark.parametrize("days", [1, 30, 300, 3000, 20_000])
def test_there_are_never_too_many_bars(days) -> None:
    start = (NOW - days * DAY) // DAY * DAY
    counts = [[start + day * DAY, 1] for day in range(0, days, max(1, days // 390))]
    plan = chart.plan([("a", timeline(counts, DAY))], NOW)
    assert 1 <= plan.bars <= chart.BARS
    assert sum(plan.rows[0].counts.values()) + plan.rows[0].before == len(counts)
    assert len(re.findall("M", chart.draw(plan))) >= 2


def test_a_chart_without_entries_is_a_sentence() -> None:
    reader = Reader.of(document(facts([log("lender-1", 0)]), NOW))
    assert "There is no entry to show." in reader.text
    assert "svg" not in reader.names


# -- reasons


def test_every_reason_has_sentences() -> None:
    for each in REASONS.values():
        assert each.meaning.endswith(".")
        assert each.advice.endswith(".")


def test_a_code_that_a_node_made_up_has_a_meaning_too() -> None:
    assert reason("NOBODY_KNOWS").advice
    assert len(MEMBERS) == 3
