"""The worker process: gunicorn's own for gevent, which leaves politely."""

import signal
from functools import partial
from time import monotonic
from types import SimpleNamespace
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.glogging import Logger
from gunicorn.sock import ssl_context
from gunicorn.workers.ggevent import GeventWorker

STOPPED = 0.7  # seconds for requests that are under way, when everybody waits for the end
QUIET = 0.3  # seconds after which a connection without a request counts as idle: one may be on the wire
REPLACED = 40.0  # seconds for connections too, when others serve already; idle ones end by themselves in 30


class Log(Logger):  # type: ignore[misc]
    """gunicorn's, without the access log (`chat.web.requests` has one): with `logconfig_dict` set it puts a line
    together for every request, wanted or not (measured: 5 % of a POST)."""

    def access(self, *about: object) -> None:
        """Nothing."""


class Worker(GeventWorker):  # type: ignore[misc]
    """Leaves at once when it is stopped, and unnoticed when it is replaced (SIGHUP, sent by `chat.upgrade`).

    gunicorn's own tells sockets nothing, waits for idle keep-alive connections until the graceful time is over
    (measured: 30.1 s with its defaults, 0.4-0.7 s this way), and takes in connections that it never answers
    (measured: 4 to 14 failed requests in three reloads under load, 0 this way).
    """

    def init_signals(self) -> None:
        """Take the signals; what they ask for is done in `run`."""
        super().init_signals()
        self.told, self.until, self.replaced = Event(), 0.0, False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, lambda *_: gevent.spawn(self.leave, STOPPED))
        signal.signal(signal.SIGHUP, lambda *_: gevent.spawn(self.leave, REPLACED))

    def leave(self, patience: float) -> None:
        """Begin to leave, and be gone in so many seconds at the latest."""
        self.until, self.replaced = monotonic() + patience, patience == REPLACED
        self.told.set()

    def run(self) -> None:
        """Serve; then close the door, tell sockets (1012) and polls, answer what is under way, and go.

        Whoever still sends something on a connection that is open is answered with `Connection: close`.
        """
        core = self.wsgi.extensions["porchlight"]
        doors = [self._open(listener) for listener in self.sockets]
        self.notify()  # the first sign of life: `chat.upgrade` waits for it
        while not self.told.wait(1.0):
            self.notify()
        self.alive = False
        core.duty.stop()
        for door in doors:
            _close(door)
        core.live.stop()
        busy_at = monotonic()
        while (now := monotonic()) < self.until:
            connected = any(door.pool for door in doors)
            if core.busy or (self.replaced and (connected or core.live.parked)):
                busy_at = now
            elif not connected or now - busy_at > QUIET:
                break
            self.notify()
            gevent.sleep(0.02)
        core.store.close()

    def _open(self, listener: Any) -> StreamServer:
        listener.setblocking(1)
        address = listener.getsockname()
        named = SimpleNamespace(getsockname=lambda: address)  # all that `handle` asks it, also when it is closed
        tls = {"ssl_context": ssl_context(self.cfg)} if self.cfg.is_ssl else {}
        handle = partial(self.handle, named)
        door = StreamServer(listener, handle=handle, spawn=Pool(self.worker_connections), **tls)
        if self.cfg.workers > 1:
            door.max_accept = 1
        door.start()
        return door


def _close(door: StreamServer) -> None:
    """Take in those who have knocked already, and nobody else: the system would turn them away."""
    while caller := door.do_read():
        door.do_handle(*caller)
    door.close()
