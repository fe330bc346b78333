"""A connection's descriptor, to be parked with: gunicorn closes its own when the request is over."""

import os
import socket as sockets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import gevent

from chat.socket import CHUNK

SLOW = 30.0  # seconds in which a client must take something of what the go-between has


def of(sock: Any) -> tuple[int, Callable[[], None]]:
    """A descriptor of its own for that connection, and what its greenlet has to do while it is parked: nothing,
    unless the server itself speaks TLS. Then the bytes need a go-between, and no greenlet is saved."""
    if not hasattr(sock, "cipher"):
        return os.dup(sock.fileno()), lambda: None
    near, far = sockets.socketpair()
    far.setblocking(False)
    return far.detach(), partial(_carry, sock, near)


def _carry(sock: Any, near: sockets.socket) -> None:
    def copy(source: Any, target: Any) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                with gevent.Timeout(SLOW, TimeoutError("it takes nothing")):
                    target.sendall(data)
        with suppress(OSError, ValueError):
            target.shutdown(sockets.SHUT_WR)

    inward = gevent.spawn(copy, sock, near)
    copy(near, sock)
    inward.kill()
    near.close()
