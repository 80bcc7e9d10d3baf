"""The engine `openai` with the row store, against a plain asyncio client on the same server.

Two servers: a real `vllm serve` for the throughput, and one that answers at once for what a row costs on top;
then the peak memory of a run over few rows and over many.

Run   make bench NAME=traces_server
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.result import TINY, print_result, seconds
from branchmerge.core.files import content_id
from branchmerge.engines.engine import Request, Sampling
from branchmerge.engines.openai import OpenAIEngine, OpenAIMachine
from branchmerge.rowstore.asking import Allowance, LimitsParams, answer_all
from branchmerge.rowstore.store import Store, Wanted
from tests.engines import running_vllm, tiny_model
from tests.server import running

ROWS = {32: 1000, 256: 400}  # tokens of an answer -> rows
INSTANT_ROWS, FEW_ROWS, MANY_ROWS = 100_000, 10_000, 200_000
CONCURRENCY = 64


def main(tiny: bool = TINY) -> None:
    """Print cost of a row, peak memory and throughput; the last line is that of the longer answers.

    Where it is tiny, without the real server.
    """
    instant_rows, few_rows, many_rows = (200, 10, 20) if tiny else (INSTANT_ROWS, FEW_ROWS, MANY_ROWS)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BRANCHMERGE_CACHE"] = f"{folder}/store"
        model = tiny_model(Path(folder) / "model")
        with running() as server:
            ours_s = seconds(_ours, server.url, model, "instant", instant_rows)
            peer_s = seconds(_plain, server.url, "plain", instant_rows)
            overhead_ms = 1000 * (ours_s - peer_s) / instant_rows
            print(f"server that answers at once, {instant_rows} rows: ours {ours_s:.1f} s, plain {peer_s:.1f} s")
            print(f"on top of the plain client: {overhead_ms:.2f} ms a row")
            for count in (few_rows, many_rows):
                print(f"peak memory over {count} rows: {_peak_mib(server.url, model, count):.0f} MiB")
        if tiny:
            return
        with running_vllm(model, max_num_seqs=CONCURRENCY, max_model_len=512) as url:
            _plain(url, "warm", 200)
            for max_tokens, rows in ROWS.items():
                ours_s = seconds(_ours, url, model, f"vllm {max_tokens}", rows, max_tokens)
                peer_s = seconds(_plain, url, f"peer {max_tokens}", rows, max_tokens)
                print(f"vllm serve, {rows} rows of {max_tokens} tokens: ours {ours_s:.1f} s, plain {peer_s:.1f} s")
    print_result("traces_server", ours_s, peer_s, "aiohttp client")


def _ours(url: str, model: Path, name: str, count: int, max_tokens: int = 32) -> None:
    params = OpenAIMachine(url=url, api="chat", concurrency=CONCURRENCY)
    with Store("tiny") as store:
        store.want(
            Wanted(content_id(name, number), str(number), 0, f"What is {number:06}+1, {name}?")
            for number in range(count)
        )
        engine = OpenAIEngine(model, "tiny", Sampling(temperature=1, top_p=1, max_tokens=max_tokens), params)
        assert answer_all(store, lambda: engine, Allowance(LimitsParams(), max_tokens, 0), "bench") == count
        assert sum(1 for _ in store.answered()) == count


def _plain(url: str, name: str, count: int, max_tokens: int = 32) -> None:
    asyncio.run(_post_all(url, name, count, max_tokens))


async def _post_all(url: str, name: str, count: int, max_tokens: int) -> None:
    """What a script does: as many workers, each posts the next row and keeps the text."""
    import aiohttp

    rows = iter(range(count))
    texts = {}

    async def worker(session: Any) -> None:
        for number in rows:
            question = f"What is {number:06}+1, {name}?"
            body = {
                "model": "tiny",
                "messages": [{"role": "user", "content": question}],
                "temperature": 1,
                "max_tokens": max_tokens,
                "seed": Request(content_id(name, number), "").seed,
            }
            async with session.post(f"{url}/chat/completions", json=body) as reply:
                payload = await reply.json()
                assert reply.status == 200, payload
                texts[number] = payload["choices"][0]["message"]["content"]

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(worker(session) for _ in range(CONCURRENCY)))
    assert len(texts) == count


def _peak_mib(url: str, model: Path, count: int) -> float:
    """Peak resident memory of a process that does only this."""
    script = (
        "import resource\nfrom pathlib import Path\nfrom bench.traces_server import _ours\n"
        f"_ours({url!r}, Path({str(model)!r}), 'memory', {count})\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    store = {"BRANCHMERGE_CACHE": f"{model.parent}/store-{count}"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | store, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
