"""What `make bench` stands beside: the same job done in the smallest sensible way with Starlette, uvicorn and
aiosqlite. One process; a commit a message with synchronous=FULL; a fragment is made once and its text goes to every
subscriber and into the answer. It has no receipts, presence, typing, limits, inbox, templates or second worker.

uvicorn --app-dir tests/load baseline:app --port 8000       (BASELINE_DB names the file)
"""

from __future__ import annotations

import asyncio
import html
import os
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import parse_qs

import aiosqlite
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL, client_id TEXT NOT NULL, body TEXT NOT NULL,
  UNIQUE (token, client_id)) STRICT;
CREATE INDEX IF NOT EXISTS messages_token ON messages(token, id);
"""
# the same client_id again: stored once, same answer
INSERT = """
INSERT INTO messages (token, client_id, body) VALUES (?, ?, ?)
ON CONFLICT (token, client_id) DO UPDATE SET body = body RETURNING id, body
"""
SINCE = "SELECT id, body FROM messages WHERE token = ? AND id > ? ORDER BY id LIMIT 200"
Fragment = tuple[int, str]
reader: aiosqlite.Connection
writer: aiosqlite.Connection
waiting: defaultdict[str, set[asyncio.Queue[Fragment]]] = defaultdict(set)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    global reader, writer
    # without Python's own transactions each statement is one, committed within the same trip to the thread
    writer = await aiosqlite.connect(os.environ["BASELINE_DB"], isolation_level=None)
    await writer.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {SCHEMA}")
    reader = await aiosqlite.connect(os.environ["BASELINE_DB"], isolation_level=None)
    yield
    await reader.close()
    await writer.close()


def draw(number: int, body: str) -> str:
    text = f'<article id="message-{number}" data-event="{number}"><div class="body">{html.escape(body)}</div></article>'
    return f'{text}<meta id="cursor" content="{number}">'


async def since(token: str, cursor: int) -> Fragment:
    """The batch after the cursor, and where it ends."""
    rows = list(await reader.execute_fetchall(SINCE, [token, cursor]))
    return (rows[-1][0] if rows else cursor), "".join(draw(number, body) for number, body in rows)


def bearer(request: Request) -> str:
    return request.headers["authorization"].removeprefix("Bearer ")


async def up(request: Request) -> Response:
    return Response("ok")


async def session(request: Request) -> Response:
    return JSONResponse({"token": secrets.token_urlsafe(24), "visitor": ""})


async def post(request: Request) -> Response:
    form, token = parse_qs((await request.body()).decode()), bearer(request)
    rows = list(await writer.execute_fetchall(INSERT, [token, form["client_id"][0], form["body"][0]]))
    number, text = rows[0][0], draw(*rows[0])
    for queue in waiting[token]:
        queue.put_nowait((number, text))
    return Response(text, media_type="text/html")


@contextmanager
def subscribed(token: str) -> Iterator[asyncio.Queue[Fragment]]:
    queue: asyncio.Queue[Fragment] = asyncio.Queue()
    waiting[token].add(queue)
    try:
        yield queue
    finally:
        waiting[token].discard(queue)


async def poll(request: Request) -> Response:
    token, query = bearer(request), request.query_params
    with subscribed(token) as queue:
        _, text = await since(token, int(query["since"]))
        try:
            text = text or (await asyncio.wait_for(queue.get(), float(query["wait"])))[1]
        except TimeoutError:
            return Response(status_code=204)
    return Response(text, media_type="text/html")


async def socket(ws: WebSocket) -> None:
    await ws.accept()
    said = await ws.receive_json()
    with subscribed(said["token"]) as queue:
        cursor, text = await since(said["token"], said["since"])
        try:
            await ws.send_text(text or '<meta id="cursor" content="0">')
            while True:
                number, text = await queue.get()
                if number > cursor:
                    cursor = number
                    await ws.send_text(text)
        except WebSocketDisconnect:
            return


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/up", up),
        Route("/w/main/session", session, methods=["POST"]),
        Route("/w/main/messages", post, methods=["POST"]),
        Route("/w/main/live", poll),
        WebSocketRoute("/w/main/socket", socket),
    ],
)
