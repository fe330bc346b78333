"""A conversation under way, and the comparison at its end: everything exactly once, in order, everywhere."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from cast import Owner, Visitor
from feed import eventually
from harness import Server


class Talk:
    """A conversation under way: several writers on the visitor's side, one on the owner's, readers on both."""

    def __init__(self, server: Server, wire: str) -> None:
        self.vera, self.ann = Visitor(wire, token=Visitor(server.url).arrive().token), Owner(server.url).arrive()
        self.vera.say("start")
        self.thread = self.ann.conversation("start")
        self.form = self.ann.reply_form(self.thread)
        self.answering = Owner(wire)
        self.answering.http.cookies = self.ann.http.cookies
        self.acknowledged: dict[str, list[str]] = {"start": ["start"]}
        self.server, self.wire = server, wire

    def write(self, who: str, count: int, chance: random.Random) -> None:
        """Say so many things, one after the other, each until it is acknowledged."""
        said = self.acknowledged.setdefault(who, [])
        tab = self.vera.again()
        for i in range(count):
            text = f"{who} {i}" + " padding" * chance.randrange(60)
            if who == "ann":
                self.answering.reply(self.thread, text, self.form)
            else:
                tab.say(text)
            said.append(text)
            time.sleep(chance.random() * 0.04)

    @contextmanager
    def busy(self, count: int, chance: random.Random, writers: tuple[str, ...] = ("v1", "v2", "ann")) -> Iterator[None]:
        """Everybody writes and reads while the block runs; then all of it is compared."""
        readers = {(who, by): who.again(self.wire) for who in (self.vera, self.ann) for by in ("socket", "poll")}
        with ExitStack() as stack:
            for (_, by), reader in readers.items():
                stack.enter_context(reader.following(by))
            with ThreadPoolExecutor(len(writers)) as pool:
                rounds = [pool.submit(self.write, who, count, random.Random(chance.random())) for who in writers]
                yield
                for done in rounds:
                    done.result(60)
            total = sum(len(said) for said in self.acknowledged.values())
            eventually(lambda: all(len(r.log.messages) >= total for r in readers.values()), 20, "everything to arrive")
        for (_, by), reader in readers.items():
            self.check(reader.log.texts(), by)
        self.check(self.vera.again(self.server.url).catch_up().texts(), "a fresh visitor")
        self.check(self.ann.again(self.server.url).catch_up().texts(), "a fresh owner")

    def check(self, seen: list[str], reader: str) -> None:
        """Each writer's messages stand in the order of writing, each once, and nothing else does."""
        assert len(seen) == len(set(seen)), f"{reader} sees something twice"
        for who, said in self.acknowledged.items():
            assert [text for text in seen if text.split()[0] == who] == said, f"{reader} differs on what {who} said"
        assert len(seen) == sum(len(said) for said in self.acknowledged.values())
