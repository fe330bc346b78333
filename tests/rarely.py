"""Calls what happens rarely, on a database that is given and left as it was: for `test_query_plans`, which looks at
the plan of every statement. What these do is shown by the features' own tests."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from chat import channels, deliveries, sites
from chat.db import connect
from chat.features.alerts import devices, plans, unseen
from chat.features.mail import fetching
from chat.features.telegram import topics


def main(database: Path) -> None:
    tx = connect(database)
    tx.execute("BEGIN IMMEDIATE")
    channels.close_door(tx, 1, "mail")
    channels.turn_to(tx, 1, "telegram", "1")
    deliveries.try_again(tx, "mail", 1)
    deliveries.give_up(tx, "mail", 1)
    deliveries.set_right(tx, "mail")
    deliveries.last_success(tx, "mail")
    devices.leave(tx, 1, "https://push.example/1")
    plans.digested(tx, plans.every(tx)[0], datetime.now(UTC))
    unseen.newest_event(tx, 1)
    unseen.waiting(tx)
    fetching._note_error(tx, "chat@mail.example/INBOX", "It did not answer.")
    sites.add(tx, "Another", "")
    other = sites.every(tx)[-1]
    sites.put(tx, other.id, "name", "value")
    sites.options(tx, other.id)
    sites.change(tx, other, "Another", "shop.example")
    sites.seen(tx, other, "https://shop.example")
    sites.pages(tx, other)
    sites.remove(tx, other)
    sites.bring_back(tx, other)
    topics.forget(tx, 1)
    topics.move(tx, "1", "2")
    tx.execute("ROLLBACK")
    tx.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
