"""What stands between the people and the server: a real nginx, and a wire that breaks on demand."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness import free_port

NGINX_CONF = """
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_read_timeout 75s;
    }}
  }}
}}
"""


class Nginx:
    """nginx in front of the server, as the documentation recommends it."""

    def __init__(self, folder: Path, upstream: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._upstream = upstream

    def __enter__(self) -> Nginx:
        program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        assert program, "nginx is not installed; `make test` says how to get it"
        root = os.geteuid() == 0
        me = f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name};" if root else ""
        conf = self._folder / "nginx.conf"
        conf.write_text(NGINX_CONF.format(user=me, folder=self._folder, port=self.port, upstream=self._upstream))
        command = [program, "-p", str(self._folder), "-c", str(conf), "-e", str(self._folder / "error.log")]
        self._process = subprocess.Popen([*command, "-g", "daemon off;"], start_new_session=True)
        for _ in range(500):
            assert self._process.poll() is None, (self._folder / "error.log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)
        raise AssertionError("nginx never listened")

    def __exit__(self, *error: Any) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=10)


class TcpProxy:
    """A wire to the server on both loopbacks. It may cut each connection after k bytes, stall, refuse,
    or swallow WebSockets; attributes may be changed at any time from any thread."""

    def __init__(self, upstream: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.budget: Callable[[], tuple[int | None, int | None]] = lambda: (None, None)
        """Bytes (up, down) after which a new connection is cut; None: never."""
        self.refuse = False
        """Drop every new connection at once."""
        self.stall = False
        """Carry nothing towards the reader: what the server sends piles up."""
        self.websockets = "carry"
        """`carry`, `refuse` (dropped), or `silent` (swallowed, as some middle boxes do)."""
        self.delay = 0.0
        """Seconds by which every piece is late, both ways."""
        self.received = 0
        """Bytes carried from the server."""
        self.cuts = 0
        self._upstream = upstream
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> TcpProxy:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *error: Any) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def cut(self) -> None:
        """Cut every connection that is open now."""
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _listen(self) -> None:
        self._servers = [await asyncio.start_server(self._carry, "127.0.0.1", self.port)]
        with suppress(OSError):  # no IPv6 here
            self._servers.append(await asyncio.start_server(self._carry, "::1", self.port))

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._cut()
        await asyncio.sleep(0.05)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        upper: asyncio.StreamWriter | None = None
        try:
            if self.refuse:
                return
            head = await reader.read(65536)
            if b"upgrade: websocket" in head.lower() and self.websockets != "carry":
                while self.websockets == "silent" and await reader.read(65536):
                    pass
                return
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)  # a stalled reader is felt soon
            sock.setblocking(False)
            await self._loop.sock_connect(sock, ("127.0.0.1", self._upstream))
            lower, upper = await asyncio.open_connection(sock=sock, limit=32768)
            up, down = self.budget()
            tasks = [
                asyncio.create_task(self._pump(reader, upper, up, head)),
                asyncio.create_task(self._pump(lower, writer, down, b"", down_stream=True)),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            for end in (writer, upper):
                if end:
                    end.close()  # what was taken before the cut still arrives

    async def _pump(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        left: int | None,
        data: bytes,
        down_stream: bool = False,
    ) -> None:
        while True:
            while down_stream and self.stall:
                await asyncio.sleep(0.02)
            if data and self.delay:
                await asyncio.sleep(self.delay)
            if data:
                part = data if left is None else data[:left]
                target.write(part)
                await target.drain()
                self.received += len(part) if down_stream else 0
                if left is not None:
                    left -= len(part)
                    if left <= 0:
                        self.cuts += 1
                        return
            data = await source.read(16384)
            if not data:
                await target.drain()
                return
