"""What `make bench` stands beside: the same job done in the smallest sensible way with Starlette, uvicorn and
aiosqlite. One process, one commit a message with synchronous=FULL; a fragment is made once and its text pushed to
every subscriber. It has no receipts, presence, typing, limits, inbox, or second worker.

uvicorn --app-dir tests/load baseline:app --port 8000       (BASELINE_DB names the file)
"""

from __future__ import annotations

import asyncio
import html
import os
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
  UNIQUE (token, client_id));
CREATE INDEX IF NOT EXISTS messages_token ON messages(token, id);
"""
db: aiosqlite.Connection
one_writer = asyncio.Lock()
waiting: defaultdict[str, set[asyncio.Queue[str]]] = defaultdict(set)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    global db
    db = await aiosqlite.connect(os.environ["BASELINE_DB"])
    await db.execute("PRAGMA journal_mode = WAL")
    await db.execute("PRAGMA synchronous = FULL")
    await db.executescript(SCHEMA)
    yield
    await db.close()


def draw(number: int, body: str) -> str:
    text = f'<article id="message-{number}" data-event="{number}"><div class="body">{html.escape(body)}</div></article>'
    return f'{text}<meta id="cursor" content="{number}">'


async def since(token: str, cursor: int) -> str:
    query = "SELECT id, body FROM messages WHERE token = ? AND id > ? ORDER BY id LIMIT 200"
    async with db.execute(query, [token, cursor]) as rows:
        return "".join([draw(number, body) async for number, body in rows])


async def up(request: Request) -> Response:
    return Response("ok")


async def session(request: Request) -> Response:
    return JSONResponse({"token": secrets.token_urlsafe(24), "visitor": ""})


async def post(request: Request) -> Response:
    form, token = parse_qs((await request.body()).decode()), request.headers["authorization"].removeprefix("Bearer ")
    insert = "INSERT INTO messages (token, client_id, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    async with one_writer:
        stored = await db.execute(insert, [token, form["client_id"][0], form["body"][0]])
        await db.commit()
    fragment = draw(stored.lastrowid or 0, form["body"][0])
    for queue in waiting[token]:
        queue.put_nowait(fragment)
    return Response(await since(token, int(form["since"][0])), media_type="text/html")


@asynccontextmanager
async def subscribed(token: str) -> AsyncIterator[asyncio.Queue[str]]:
    queue: asyncio.Queue[str] = asyncio.Queue()
    waiting[token].add(queue)
    try:
        yield queue
    finally:
        waiting[token].discard(queue)


async def poll(request: Request) -> Response:
    token = request.headers["authorization"].removeprefix("Bearer ")
    async with subscribed(token) as queue:
        text = await since(token, int(request.query_params["since"]))
        try:
            text = text or await asyncio.wait_for(queue.get(), float(request.query_params["wait"]))
        except TimeoutError:
            return Response(status_code=204)
    return Response(text, media_type="text/html")


async def socket(ws: WebSocket) -> None:
    await ws.accept()
    said = await ws.receive_json()
    async with subscribed(said["token"]) as queue:
        try:
            await ws.send_text(await since(said["token"], said["since"]) or '<meta id="cursor" content="0">')
            while True:
                await ws.send_text(await queue.get())
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
