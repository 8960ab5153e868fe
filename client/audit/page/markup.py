"""HTML elements. Names and messages come from parties that may be hostile: what is not `Markup` already is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from client.text import one_line

FEW = 4
"""Names that are shown at once."""

Content = object
"""Markup, or anything else, which is shown as text."""


class Markup(str):
    """Characters that are HTML. Only `element` and `joined` make it."""

    __slots__ = ()


def text(content: Content) -> Markup:
    """As characters of a page: escaped, and without what could hide or reorder others (controls, bidi marks)."""
    return content if isinstance(content, Markup) else Markup(html.escape(one_line(str(content)), quote=True))


def joined(contents: Iterable[Content]) -> Markup:
    """One after the other."""
    return Markup("".join(map(text, contents)))


def element(name: str, *contents: Content, **attributes: Content) -> Markup:
    """`<name ..>contents</name>`; `class_` and the like lose their underscore, others become hyphens."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{written}>{joined(contents)}</{name}>")


def listing(items: Iterable[Content], **attributes: Content) -> Markup:
    """An unordered list."""
    return element("ul", *(element("li", item) for item in items), **attributes)


def table(columns: Iterable[str], rows: Iterable[Iterable[Content]]) -> Markup:
    """Columns whose name starts with ">" are flush right."""
    named = [(name.removeprefix(">"), "number" if name.startswith(">") else "text") for name in columns]
    head = element("tr", *(element("th", name, class_=kind, scope="col") for name, kind in named))
    body = [
        element("tr", *(element("td", cell, class_=kind) for cell, (_, kind) in zip(row, named, strict=True)))
        for row in rows
    ]
    whole = element("table", element("thead", head), element("tbody", *body))
    return element("div", whole, class_="wide")


def section(title: str, *contents: Content) -> Markup:
    """A heading and what stands under it."""
    return element("section", element("h2", title), *contents)


def names(members: Sequence[str]) -> Markup:
    """Members; many of them behind their number, which opens without a script."""
    if len(members) <= FEW:
        return text(", ".join(members))
    return element("details", element("summary", f"{len(members)} members"), ", ".join(members))


def code(content: Content) -> Markup:
    """Something that was not written for people."""
    return element("code", content)
