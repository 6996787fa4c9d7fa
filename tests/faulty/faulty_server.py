"""A local server that speaks OpenAI's chat completions, and misbehaves on demand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Does what the next behaviour of the script says; without one it answers well."""

    server: Server

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.turn:
            self.server.requests.append(self.body)
            self.server.keys.append(self.headers.get("Authorization", ""))
            self.server.under_way += 1
            self.server.most = max(self.server.most, self.server.under_way)
            behaviour = self.server.script.pop(0) if self.server.script else self.server.usual
        try:
            behaviour(self)
        finally:
            with self.server.turn:
                self.server.under_way -= 1

    def send(self, status: int, body: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        pass


def completion(content: str | None, *, finish_reason: str = "stop", **changes: Any) -> str:
    """A reply of 100 prompt tokens and 10 new ones; ``changes`` replace whole keys of it."""
    choice = {
        "index": 0,
        "finish_reason": finish_reason,
        "message": {"role": "assistant", "content": content},
    }
    return json.dumps(
        {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
        | changes
    )


class Server(ThreadingHTTPServer):
    """``requests`` are the bodies that came, ``keys`` their keys, ``most`` those at once."""

    daemon_threads = True

    def __init__(self, usual: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.usual = usual
        self.script: list[Behaviour] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.turn = threading.Lock()
        self.under_way = self.most = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: Any) -> None:
        """A client that hung up is a part of the tests."""

    @staticmethod
    def saying(content: str | None, **changes: Any) -> Behaviour:
        """See :func:`completion`."""
        return lambda handler: handler.send(200, completion(content, **changes))

    @staticmethod
    def verdict(value: int) -> Behaviour:
        return Server.saying(json.dumps({"reason": "because", "verdict": value}))

    @staticmethod
    def status(code: int, told: str = "no", **headers: str) -> Behaviour:
        body = json.dumps({"error": {"message": told, "code": told}})
        return lambda handler: handler.send(code, body, **headers)

    @staticmethod
    def slow(seconds: float, then: Behaviour) -> Behaviour:
        def behave(handler: Handler) -> None:
            time.sleep(seconds)
            then(handler)

        return behave

    @staticmethod
    def cut(handler: Handler) -> None:
        """The connection ends in the middle of the body."""
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "500")
        handler.end_headers()
        handler.wfile.write(b'{"id": "c1", "choi')
        handler.wfile.flush()
        handler.connection.close()

    @staticmethod
    def no_json(handler: Handler) -> None:
        """A body that is not JSON at all, such as a proxy's page."""
        handler.send(200, "<html>busy</html>")


@contextmanager
def serving(usual: Behaviour) -> Iterator[Server]:
    """A server that behaves as ``usual``, until its ``script`` or ``usual`` says otherwise."""
    running = Server(usual)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.shutdown()
        running.server_close()
