"""A client of an ASGI application in this process: requests without a server, cookies as in a browser."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import httpx2


class Client:
    """Sends requests to `app` as if it were at `base_url`; follows no redirects and keeps cookies."""

    def __init__(self, app: Any, base_url: str) -> None:
        self._app, self._base_url = app, base_url
        self.cookies = httpx2.Cookies()

    def get(self, path: str, **options: Any) -> httpx2.Response:
        """Answer of a GET request."""
        return asyncio.run(self._request("GET", path, options))

    def post(self, path: str, **options: Any) -> httpx2.Response:
        """Answer of a POST request."""
        return asyncio.run(self._request("POST", path, options))

    def open_websocket(self, path: str) -> list[str]:
        """The types of the messages that the application sends to a new connection."""
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        scope = {
            "type": "websocket",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "ws",
            "query_string": b"",
            "headers": [(b"cookie", jar.encode())] if jar else [],
            "subprotocols": [],
            "client": ("127.0.0.1", 40_000),
            "server": ("127.0.0.1", 8501),
        }
        sent: list[str] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message["type"])

        asyncio.run(self._app(scope, receive, send))
        return sent

    async def _request(self, method: str, path: str, options: dict[str, Any]) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=self._app)
        async with httpx2.AsyncClient(
            transport=transport, base_url=self._base_url, cookies=self.cookies, trust_env=False
        ) as client:
            answer = await client.request(method, path, **options)
            self.cookies = client.cookies
            return answer
