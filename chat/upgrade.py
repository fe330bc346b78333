"""SIGHUP: new workers with the code on the disk take over while people talk, and nobody notices.

gunicorn's own reload tells the old workers to go before the new ones serve, gives new workers the modules that its
master has loaded, knows nothing of migrations, and ends the whole server when the new code can't start.
"""

import logging
import os
import queue
import signal
import sys
import time
from collections.abc import Iterable
from importlib import metadata
from subprocess import Popen
from typing import Any

from gunicorn.errors import HaltServer

from chat import config

BOOT = 30.0  # seconds for the new workers to serve
log = logging.getLogger("porchlight.upgrade")
_FIXED = {name: metadata.version(name) for name in ("gunicorn", "gevent", "greenlet")}
"""What the master itself runs on; workers are forked from it, so another version needs a new master."""


class Refused(Exception):
    """The new code can't take over; the text says why, and the old one goes on."""


def install(arbiter: Any) -> None:
    """Have gunicorn's master reload our way."""
    arbiter.handle_hup = lambda: replace_workers(arbiter)


def forget_code() -> None:
    """In a new worker: drop what the master has loaded of us, which may be older than what is on the disk."""
    for name in [name for name in sys.modules if name == "chat" or name.startswith("chat.")]:
        del sys.modules[name]


def replace_workers(arbiter: Any) -> None:
    """Migrate, start new workers, and when they serve have the old ones leave. If any of it fails, the old stay."""
    old: set[int] = set(arbiter.WORKERS)
    new: dict[int, tuple[Any, float]] = {}
    try:
        _refuse_another_master()
        _migrate(arbiter)
        for _ in range(arbiter.num_workers):
            pid = arbiter.spawn_worker()
            new[pid] = (arbiter.WORKERS[pid], arbiter.WORKERS[pid].tmp.last_update())
        _await(arbiter, new)
    except Refused as error:
        log.error("The code on the disk was not taken in, and the old one goes on: %s", error)
        serving = {
            pid for pid, (worker, born) in new.items() if pid in arbiter.WORKERS and worker.tmp.last_update() != born
        }
        _dismiss(arbiter, serving, signal.SIGTERM)
        _dismiss(arbiter, new.keys() - serving, signal.SIGKILL)  # just forked, it may not hear anything milder yet
    else:
        _dismiss(arbiter, old, signal.SIGHUP)
        print("  Porchlight has taken in the code on the disk.", flush=True)


def _dismiss(arbiter: Any, pids: Iterable[int], how: signal.Signals) -> None:
    """Tell these workers to go, and take them out of the master's care: they end by themselves, or when it does."""
    for pid in pids:
        if worker := arbiter.WORKERS.pop(pid, None):
            worker.tmp.close()
            os.kill(pid, how)


def _refuse_another_master() -> None:
    for name, version in _FIXED.items():
        if metadata.version(name) != version:
            raise Refused(f"it brings another {name}, which only a restart can load. Restart Porchlight.")


def _migrate(arbiter: Any) -> None:
    process = Popen([sys.executable, str(config.ROOT / "app.py"), "migrate"])
    while process.poll() is None:
        if _must_stop(arbiter):
            process.terminate()
            raise Refused("the server is stopping.")
        time.sleep(0.02)
    if process.returncode:
        raise Refused("its database could not be prepared (see above).")


def _await(arbiter: Any, new: dict[int, tuple[Any, float]]) -> None:
    end = time.monotonic() + BOOT
    while any(worker.tmp.last_update() == born for worker, born in new.values()):
        if _must_stop(arbiter):
            raise Refused("the server is stopping.")
        if time.monotonic() > end:
            raise Refused(f"its workers did not serve within {BOOT:.0f} s.")
        time.sleep(0.02)
        try:
            arbiter.reap_workers()
        except HaltServer:  # gunicorn's word for a worker that could not start
            raise Refused("its workers can't start (see above).") from None
        if not new.keys() <= arbiter.WORKERS.keys():
            raise Refused("its workers ended at once (see above).")


def _must_stop(arbiter: Any) -> bool:
    """Whether the master was told to stop meanwhile; its queue has no other way to look into it."""
    waiting = []
    try:
        while True:
            waiting.append(arbiter.SIG_QUEUE.get_nowait())
    except queue.Empty:
        pass
    for number in waiting:
        arbiter.SIG_QUEUE.put_nowait(number)
    return not {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}.isdisjoint(waiting)
