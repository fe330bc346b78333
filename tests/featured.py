"""The real application with one more feature, which keeps books: `gunicorn --pythonpath tests featured:app`.

What it does to the database is counted in options, what goes out is a line in a file, and files in the data folder make
it fail. Pauses are short here; nothing else is changed.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402

import app as application  # noqa: E402
from chat import config, db, deliveries, duty, logs, options, outbox  # noqa: E402
from chat.db import Tx  # noqa: E402
from chat.deliveries import Delivery  # noqa: E402
from chat.events import Event  # noqa: E402
from chat.features import Feature  # noqa: E402
from chat.outbox import Handler, Later, Nothing, NotYet, Permanent, Sender  # noqa: E402
from chat.web import Core  # noqa: E402

outbox.SICK, deliveries.FIRST_PAUSE, db.LOCK_WAIT, duty.REST = 0.5, 0.2, 1.0, 0.5


def declare(core: Core) -> Feature:
    """Two handlers, a sender and a loop."""
    data = core.settings.chat_data

    def is_set(name: str) -> bool:
        return (data / name).exists()

    def write(name: str, **told: object) -> None:
        with Path(data / name).open("a") as file:
            file.write(json.dumps({"pid": os.getpid(), "at": time.time(), **told}) + "\n")

    def count(name: str) -> Handler:
        def handle(tx: Tx, event: Event) -> None:
            key = f"{name}.{event.body}"
            options.put(tx, key, str(int(options.get(tx, key, "0")) + 1))
            if is_set(f"{name}-fails"):
                raise RuntimeError("on purpose")
            if name == "first":
                deliveries.add(tx, "book", f"event {event.id}", conversation_id=event.conversation_id, body=event.body)

        return Handler(name, frozenset(("message.posted",)), handle)

    def send(delivery: Delivery) -> None:
        write("began", id=delivery.id, attempts=delivery.attempts, body=delivery.about["body"])
        if is_set("hang"):
            gevent.sleep(60)
        if is_set("slow"):
            gevent.sleep(1.0)
        for name, error in (
            ("broken", OSError),
            ("later", Later),
            ("refused", Permanent),
            ("seen", Nothing),
            ("early", NotYet),
        ):
            if is_set(name):
                raise error(f"It is {name}")
        write("sent", id=delivery.id, body=delivery.about["body"])

    def noted(tx: Tx, delivery: Delivery) -> None:
        key = f"noted.{delivery.about['body']}"
        if is_set("unnotable"):
            tx.execute("INSERT INTO options (name) VALUES ('no value')")
        options.put(tx, key, str(int(options.get(tx, key, "0")) + 1))

    def failed(tx: Tx, delivery: Delivery, why: str) -> None:
        options.put(tx, f"failed.{delivery.about['body']}", why)

    def beat() -> None:
        while True:
            write("beats")
            if is_set("beat-fails"):
                raise ValueError("on purpose")
            gevent.sleep(0.02)

    return Feature(
        "book",
        handlers=(count("first"), count("second")),
        senders=(Sender("book", send, noted, failed),),
        background=(beat,),
    )


settings = config.load()
logs.set_up(settings.log)
application.FEATURES = (*application.FEATURES, declare)
app = application.create_app(settings)
