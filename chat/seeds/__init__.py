"""Seeds: talks that nobody had, to try everything on: plan who talks when, say it in words, keep the books, write.

What comes out looks as if people had written it, and is added to what is there; no row of anybody else is touched.
"""

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from chat import sites
from chat.db import connect
from chat.seeds import plan
from chat.seeds.writer import Writer

STEPS = 5000  # to a transaction
BYTES = 600  # on the disk, indexes and all, for each message and for each conversation


class Sowing:
    """One run: so many conversations and messages, the same for the same seed up to the moment at which they end."""

    def __init__(self, path: Path, conversations: int, messages: int, seed: int, until: float | None = None) -> None:
        self._path, self._seed = path, seed
        self._steps = plan.steps(seed, conversations, messages, time.time() if until is None else until)
        self.conversations = self.messages = 0
        """How many are stored; also true when the run was broken off."""

    def run(self) -> Iterator[int]:
        """Store them; after each commit, the number of messages that it held. Raises sqlite3.Error."""
        db = connect(self._path)
        db.execute("PRAGMA cache_size = -65536")
        db.execute(
            "PRAGMA synchronous = NORMAL"
        )  # nobody waits for these: after a power cut a few commits less are there
        try:
            writer = Writer(db, sites.first(db), self._seed)
            while batch := list(islice(self._steps, STEPS)):
                writer.store(batch)
                stored = writer.messages - self.messages
                self.conversations, self.messages = writer.conversations, writer.messages
                yield stored
        finally:
            db.close()
