"""Where the server itself speaks TLS, everything works as well; the start says that it costs more."""

from __future__ import annotations

import json
import ssl
import threading
from pathlib import Path

import httpx
import pytest
import trustme
from harness import Server
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def test_sockets_and_polls_wait_and_close_through_its_own_tls(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1")
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    server = Server(tmp_path, GUNICORN_CMD_ARGS=f"--certfile {certificate} --keyfile {key}")
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    server.scheme = "https"
    with server, httpx.Client(base_url=server.url, verify=trusting, timeout=30, trust_env=False) as vera:
        assert "speaks TLS itself" in server.output
        token = vera.post("/w/main/session").json()["token"]
        auth = {"Authorization": f"Bearer {token}"}

        def say(body: str) -> httpx.Response:
            form = {"body": body, "client_id": "b3b1b6a2-7d0e-4d3e-9f0e-2f3c1d5e6a7" + str(len(body) % 10)}
            return vera.post("/w/main/messages", data=form, headers=auth)

        assert say("one").status_code == 200
        address = f"wss://127.0.0.1:{server.port}/w/main/socket"
        with connect(address, ssl=trusting, proxy=None) as ws:
            ws.send(json.dumps({"token": token, "since": 0}))
            assert "one" in str(ws.recv(timeout=5))
            cursor = vera.get("/w/main/live?since=0", headers=auth).text.rpartition('content="')[2].partition('"')[0]
            threading.Timer(0.5, say, ["three"]).start()
            poll = vera.get(f"/w/main/live?since={cursor}&wait=20", headers=auth)
            assert poll.status_code == 200 and "three" in poll.text
            assert "three" in str(ws.recv(timeout=5))
            assert server.stop() < 2
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    ws.recv(timeout=5)
            assert closed.value.rcvd and closed.value.rcvd.code == 1012
