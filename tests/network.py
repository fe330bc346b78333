"""What stands between the people and the server: a real nginx, a real Caddy, and a wire that breaks on demand."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from harness import ROOT, free_port

DOCUMENTED = ROOT / "docs" / "deploy"
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
  include {folder}/porchlight.conf;
}}
"""


class Proxy:
    """A program in front of the server. A context manager; subclasses say how it is started."""

    url = ""

    def __init__(self, folder: Path, upstream: int) -> None:
        self.port = free_port()
        self._folder = folder
        self._upstream = upstream

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)

    def __enter__(self) -> Self:
        log = self._folder / "proxy.log"
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                self._command(), env=self._environment(), stdout=said, stderr=said, start_new_session=True
            )
        for _ in range(500):
            assert self._process.poll() is None, log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)
        raise AssertionError(f"it never listened: {log.read_text()}")

    def reload(self) -> None:
        """Read the configuration again, with new worker processes; the old ones end with their last connection."""
        self._process.send_signal(signal.SIGHUP)

    def __exit__(self, *error: Any) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=10)


class Nginx(Proxy):
    """nginx with the very file of the documentation, but for ports, and TLS only where a certificate is given."""

    def __init__(self, folder: Path, upstream: int, certificate: tuple[Path, Path] | None = None) -> None:
        super().__init__(folder, upstream)
        self.url = f"https://localhost:{self.port}" if certificate else f"http://127.0.0.1:{self.port}"
        self.plain_port = free_port()
        self._certificate = certificate

    def _command(self) -> list[str]:
        program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        assert program, "nginx is not installed; `make test` says how to get it"
        root = os.geteuid() == 0
        me = f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name};" if root else ""
        (self._folder / "porchlight.conf").write_text(self._site())
        conf = self._folder / "nginx.conf"
        conf.write_text(NGINX_CONF.format(user=me, folder=self._folder))
        error_log = str(self._folder / "error.log")
        return [program, "-p", str(self._folder), "-c", str(conf), "-e", error_log, "-g", "daemon off;"]

    def _site(self) -> str:
        text = re.sub(r"\n +listen \[::\].*", "", (DOCUMENTED / "nginx.conf").read_text())
        tls = " ssl http2" if self._certificate else ""
        changes = {
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{self.port}{tls};",
            "proxy_pass http://127.0.0.1:8000;": f"proxy_pass http://127.0.0.1:{self._upstream};",
        }
        for old, new in changes.items():
            assert text.count(old) == 1, f"docs/deploy/nginx.conf has no {old!r}"
            text = text.replace(old, new)
        if not self._certificate:
            return re.sub(r"\n +ssl_.*", "", text)
        chain, key = self._certificate
        return re.sub(r"/etc/\S+fullchain.pem", str(chain), re.sub(r"/etc/\S+privkey.pem", str(key), text))


class Edge(Nginx):
    """A CDN that fetches from the server what it does not hold, keeps it as it is told, and carries nothing else."""

    def _site(self) -> str:
        return f"""
proxy_cache_path {self._folder}/kept keys_zone=kept:1m;
server {{
  listen 127.0.0.1:{self.port};
  location ~ ^/(static/|shim/|w/[a-z0-9-]+\\.js$) {{
    proxy_pass http://127.0.0.1:{self._upstream};
    proxy_cache kept;
    add_header X-Kept $upstream_cache_status;
  }}
  location / {{ return 410; }}
}}
"""


class Caddy(Proxy):
    """Caddy with the very file of the documentation; for localhost it makes a certificate of its own."""

    def __init__(self, folder: Path, upstream: int) -> None:
        super().__init__(folder, upstream)
        self.url = f"https://localhost:{self.port}"
        self.authority = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"

    def _command(self) -> list[str]:
        program = Path(sys.executable).with_name("caddy")
        conf = self._folder / "Caddyfile"
        conf.write_text(
            "{\n admin off\n skip_install_trust\n persist_config off\n default_bind 127.0.0.1\n"
            f" http_port {free_port()}\n storage file_system {self._folder}/caddy\n}}\nimport {DOCUMENTED}/Caddyfile\n"
        )
        return [str(program), "run", "--config", str(conf), "--adapter", "caddyfile"]

    def _environment(self) -> dict[str, str]:
        return os.environ | {"CHAT_DOMAIN": self.url, "CHAT_UPSTREAM": f"127.0.0.1:{self._upstream}"}


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
        self.silent = False
        """Carry nothing either way, and tell neither end: half-open."""
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
            head = b"" if self.websockets == "carry" else await reader.read(65536)  # mail servers speak first
            if b"upgrade: websocket" in head.lower():
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
            while self.silent or (down_stream and self.stall):
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
