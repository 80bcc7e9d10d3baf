"""A server that speaks OpenAI's chat, counts what it is asked, and can be told to misbehave.

Real HTTP in a process of its own. What goes wrong for a question follows from its text, so that a test
knows what should come of it.
"""

import argparse
import asyncio
import hashlib
import json
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

ROOT = Path(__file__).resolve().parent.parent


def share(question: str, salt: str = "") -> float:
    """A number from 0 to 1 that belongs to a question."""
    return int(hashlib.sha256((salt + question).encode()).hexdigest()[:8], 16) / 2**32


class Server:
    """The answers, the faults and the counts."""

    def __init__(self, latency_s: float, is_faulty: bool, known: dict[str, str]) -> None:
        self.latency_s, self.is_faulty, self.known = latency_s, is_faulty, known
        self.asked: Counter[str] = Counter()
        self.under_way = self.most_under_way = 0
        self.seeds: list[int] = []

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        question = [message["content"] for message in body["messages"] if message["role"] == "user"][-1]
        name = f"{question}|{body['seed']}"
        self.asked[name] += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            fault = await self.fault(name, question, request) if self.is_faulty else None
            if question in self.known:
                return web.json_response(answer(question, "stop", {"content": self.known[question]}))
            return fault or web.json_response(answer(question, "length" if is_cut(question) else "stop"))
        finally:
            self.under_way -= 1

    async def fault(self, name: str, question: str, request: web.Request) -> web.StreamResponse | None:
        """30 % of calls 429 or 500, 1 % hang, 1 % garbage, 1 % cut off in the middle; some questions always fail."""
        if "always garbage" in question:
            return web.Response(text="{garbage", content_type="application/json")
        if "always 500" in question:
            return web.Response(status=500, text="broken")
        if "too long" in question:
            return web.json_response({"error": "maximum context length"}, status=400)
        if "refuse" in question:
            return web.json_response(answer("", "content_filter"))
        if "say nothing" in question:
            return web.json_response(answer("", "stop"))
        if "unpaid" in question:
            return web.Response(status=402, text="insufficient balance")
        if "no finish reason" in question:
            return web.json_response(answer(question, None))
        if "busy" in question and self.asked[name] == 1:
            return web.Response(status=429, text="slow down", headers={"Retry-After": "1"})
        if message := ODD.get(question):
            return web.json_response(answer(question, "length" if "cut" in question else "stop", message))
        draw = share(f"{name}|{self.asked[name]}", "fault")
        if draw < 0.15:
            return web.Response(status=429, text="slow down", headers={"Retry-After": "0"})
        if draw < 0.30:
            return web.Response(status=500, text="sorry")
        if draw < 0.31:
            await asyncio.sleep(3600)
        if draw < 0.32:
            return web.Response(text="<html>", content_type="text/html")
        if draw < 0.33:
            assert request.transport is not None
            request.transport.close()
        return None

    async def counts(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "calls": sum(self.asked.values()),
                "rows": len(self.asked),
                "most_calls_a_row": max(self.asked.values(), default=0),
                "most_under_way": self.most_under_way,
            }
        )


def is_cut(question: str) -> bool:
    """5 % of questions get an answer that ends at the token limit."""
    return share(question, "cut") < 0.05


# messages of odd shapes that real servers send
ODD: dict[str, dict[str, Any]] = {
    "parts": {"content": [{"type": "text", "text": "7"}]},
    "half an emoji": {"content": "so \ud83d"},
    "apart": {"content": "7", "reasoning_content": "hm"},
    "apart cut": {"content": None, "reasoning": "hm"},
    "opened unseen": {"content": "hm\n</think>\n7"},
}


def answer(question: str, finish_reason: str | None, message: dict[str, Any] | None = None) -> dict[str, Any]:
    """A chat completion."""
    content = f"<think>\nhm\n</think>\nI was asked {question}" if question else ""
    return {
        "choices": [
            {"message": {"role": "assistant"} | (message or {"content": content}), "finish_reason": finish_reason}
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 20},
    }


class Running:
    """A server that runs, seen from a test."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"

    def counts(self) -> dict[str, int]:
        """Calls and rows so far."""
        with urllib.request.urlopen(f"{self.url}/counts") as reply:
            counted: dict[str, int] = json.load(reply)
        return counted


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    """A server in a process of its own, on a free port."""
    command = [sys.executable, "-m", "tests.server", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Running(int(process.stdout.readline()))
        finally:
            process.kill()


async def serve(server: Server) -> None:
    application = web.Application()
    application.router.add_post("/v1/chat/completions", server.chat)
    application.router.add_get("/v1/counts", server.counts)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency-s", type=float, default=0)
    parser.add_argument("--faulty", action="store_true")
    parser.add_argument("--answers", type=Path, help="JSON: question -> the whole answer")
    options = parser.parse_args()
    known = json.loads(options.answers.read_text()) if options.answers else {}
    asyncio.run(serve(Server(options.latency_s, options.faulty, known)))
