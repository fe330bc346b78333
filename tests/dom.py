"""A small HTML tree on the standard library's parser: enough to read what the server sends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
NOT_SENT, CHOICES = ("submit", "button", "file", "image"), ("checkbox", "radio")
ALONE = frozenset("li p option dt dd tr td th".split())


@dataclass(eq=False)
class Node:
    """An element; a child is another element or text."""

    tag: str
    attrs: dict[str, str] = field(default_factory=dict)
    parent: Node | None = None
    children: list[Node | str] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """Every element below this one, in the order of the document; what is in a <template> is not there yet."""
        for child in self.children:
            if isinstance(child, Node):
                yield child
                if child.tag != "template":
                    yield from child.walk()

    def all(self, tag: str | None = None, cls: str | None = None, **attrs: str) -> list[Node]:
        """Elements below with that tag, class and attributes (`data_event` stands for `data-event`)."""
        wanted = {name.strip("_").replace("_", "-"): value for name, value in attrs.items()}
        return [
            node
            for node in self.walk()
            if (tag is None or node.tag == tag)
            and (cls is None or cls in node.classes)
            and all(node.attrs.get(name) == value for name, value in wanted.items())
        ]

    def first(self, tag: str | None = None, cls: str | None = None, **attrs: str) -> Node:
        """The first such element; an AssertionError that says what was looked for when there is none."""
        found = self.all(tag, cls, **attrs)
        assert found, f"no <{tag or '*'}> class={cls} {attrs} in: {self.text[:300]!r}"
        return found[0]

    @property
    def elements(self) -> list[Node]:
        return [child for child in self.children if isinstance(child, Node)]

    @property
    def classes(self) -> list[str]:
        return self.attrs.get("class", "").split()

    @property
    def text(self) -> str:
        """All text below, as typed: a <br> is a line end."""
        if self.tag == "br":
            return "\n"
        if self.tag in ("template", "script", "style"):
            return ""
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def up(self) -> Iterator[Node]:
        """This element, its parent, and so on."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("#root")
        self.at = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ALONE and self.at.tag == tag and self.at.parent:
            self.at = self.at.parent
        node = Node(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.children.append(node)
        if tag not in VOID:
            self.at = node

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        for node in self.at.up():
            if node.tag == tag and node.parent:
                self.at = node.parent
                return

    def handle_data(self, data: str) -> None:
        self.at.children.append(data)


def parse(html: str) -> Node:
    """The document, or the fragment, below one root."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    return builder.root


def fields(form: Node) -> dict[str, str]:
    """What a browser would send with this form as it stands: hidden inputs and all."""
    sent: dict[str, str] = {}
    for node in form.walk():
        name, kind = node.attrs.get("name"), node.attrs.get("type", "text")
        if not name or "disabled" in node.attrs:
            continue
        if node.tag == "textarea":
            sent[name] = node.text
        elif node.tag == "input" and kind not in NOT_SENT and (kind not in CHOICES or "checked" in node.attrs):
            sent[name] = node.attrs.get("value", "")
    return sent
