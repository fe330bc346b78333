"""The empty server: bytes out for bytes in, no parsing, no database, no thread. What the bench reaches here is the
limit of its own client.

python tests/load/empty.py PORT
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from itertools import count
from typing import cast

import uvloop

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b"
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
CURSOR = b'<meta id="cursor" content="1">'
tokens = count(1)
sockets: defaultdict[bytes, list[asyncio.Transport]] = defaultdict(list)
polls: defaultdict[bytes, list[asyncio.Transport]] = defaultdict(list)


def between(data: bytes, start: bytes, end: bytes) -> bytes:
    return data.partition(start)[2].partition(end)[0]


def frame(text: bytes) -> bytes:
    return b"\x81" + bytes([len(text)]) + text


class Empty(asyncio.Protocol):
    """Takes for granted that each request comes in one piece, as it does from the bench's client."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        write, token = self._out.write, between(data, b"Bearer ", b"\r")
        if data.startswith(b"POST /w/main/messages"):
            text = b'<p class="body">%b</p>%b' % (between(data, b"body=", b"&"), CURSOR)
            push(token, text)
            write(OK % (len(text), text))
        elif data.startswith(b"POST"):
            text = b'{"token": "%024d"}' % next(tokens)
            write(OK % (len(text), text))
        elif data.startswith(b"GET /w/main/socket"):
            write(UPGRADED)
        elif data.startswith(b"\x81"):
            sockets[between(data, b'"token": "', b'"')].append(self._out)
            write(frame(CURSOR))
        elif b"&wait=0 " in data:
            write(b"HTTP/1.1 204 No Content\r\n\r\n")
        else:
            polls[token].append(self._out)


def push(token: bytes, text: bytes) -> None:
    whole, open_ones = frame(text), [socket for socket in sockets[token] if not socket.is_closing()]
    sockets[token] = open_ones
    for socket in open_ones:
        socket.write(whole)
    for poll in polls.pop(token, ()):
        poll.write(OK % (len(text), text))
        poll.close()


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Empty, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
