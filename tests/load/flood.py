"""A flood, for figures: messages a second, delivery times, memory of an idle socket. Asserts nothing.

python tests/load/flood.py --visitors 50 --seconds 8 --idle 300
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx
import psutil
from harness import Server
from websockets.asyncio.client import ClientConnection, connect

READY = 0.5


def memory(server: Server) -> float:
    """PSS of all the server's processes, in MB."""
    assert server.process
    master = psutil.Process(server.process.pid)
    return sum(each.memory_full_info().pss for each in (master, *master.children(recursive=True))) / 1e6


async def open_socket(server: Server, token: str) -> ClientConnection:
    """An idle reader that has had its first frame."""
    address = f"ws://127.0.0.1:{server.port}/w/main/socket"
    ws = await connect(address, proxy=None, ping_interval=None, compression=None, max_queue=None)
    await ws.send(json.dumps({"token": token, "since": 0}))
    await asyncio.wait_for(ws.recv(), 10)
    return ws


class Pair:
    """A visitor who writes in one tab and reads in another: each delivery is timed. Speaks HTTP by hand, since a
    client library would be the bottleneck."""

    def __init__(self, server: Server, token: str) -> None:
        self.server, self.token = server, token
        self.sent: dict[str, float] = {}
        self.acknowledged: list[float] = []
        self.delivered: list[float] = []

    async def write(self, until: float) -> None:
        wire = await asyncio.open_connection("127.0.0.1", self.server.port)
        cursor = "0"
        while (now := time.perf_counter()) < until:
            text = f"m{len(self.acknowledged)}."
            self.sent[text] = now
            answer = await self.post(wire, {"body": text, "client_id": str(uuid.uuid4()), "since": cursor})
            self.acknowledged.append(time.perf_counter() - now)
            cursor = answer.rpartition('content="')[2].partition('"')[0]
        wire[1].close()

    async def post(self, wire: tuple[asyncio.StreamReader, asyncio.StreamWriter], form: dict[str, str]) -> str:
        reader, writer = wire
        body = urlencode(form)
        writer.write(
            f"POST /w/main/messages HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert " 200 " in head.partition("\r\n")[0], head
        return (await reader.readexactly(int(re.findall(r"(?i)content-length: (\d+)", head)[0]))).decode()

    async def read(self, ws: ClientConnection) -> None:
        async for frame in ws:
            now = time.perf_counter()
            for text in [text for text in self.sent if f">{text}<" in frame]:
                self.delivered.append(now - self.sent.pop(text))


async def tokens(server: Server, count: int) -> list[str]:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        return [(await client.post("/w/main/session")).json()["token"] for _ in range(count)]


def quantiles(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "too few"
    ranks = statistics.quantiles(seconds, n=100)
    return f"p50 {ranks[49] * 1000:.1f} ms, p99 {ranks[98] * 1000:.1f} ms, worst {max(seconds) * 1000:.0f} ms"


async def flood(server: Server, visitors: int, seconds: float) -> None:
    pairs = [Pair(server, token) for token in await tokens(server, visitors)]
    sockets = [await open_socket(server, pair.token) for pair in pairs]
    readers = [asyncio.create_task(pair.read(ws)) for pair, ws in zip(pairs, sockets, strict=True)]
    began = time.perf_counter()
    await asyncio.gather(*(pair.write(began + seconds) for pair in pairs))
    took = time.perf_counter() - began
    await asyncio.sleep(1)
    for ws in sockets:
        await ws.close()
    await asyncio.gather(*readers)
    acknowledged = [each for pair in pairs for each in pair.acknowledged]
    delivered = [each for pair in pairs for each in pair.delivered]
    print(f"{visitors} visitors write as fast as they are answered, {took:.1f} s:")
    print(f"  {len(acknowledged) / took:.0f} messages/s, acknowledged in {quantiles(acknowledged)}")
    print(f"  {len(delivered)} of {len(acknowledged)} delivered to the other tab in {quantiles(delivered)}")


async def idle(server: Server, count: int) -> None:
    before = memory(server)
    sockets = [await open_socket(server, token) for token in await tokens(server, count)]
    await asyncio.sleep(READY)
    after = memory(server)
    print(f"{count} idle sockets: {before:.1f} -> {after:.1f} MB PSS, {(after - before) * 1000 / count:.1f} KB each")
    for ws in sockets:
        await ws.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--idle", type=int, default=300)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder), WEB_CONCURRENCY=str(options.workers)) as server:
        time.sleep(READY)
        print(f"just started: {memory(server):.1f} MB PSS")
        asyncio.run(idle(server, options.idle))
        asyncio.run(flood(server, options.visitors, options.seconds))
        print(f"afterwards: {memory(server):.1f} MB PSS")


if __name__ == "__main__":
    main()
