"""The traces stage's way of asking, against the bare engine on the same work: vLLM's LLM.generate.

Both run the same vLLM in the same process on prompts of equal length; ours also keeps every row in the row
store and holds budget and progress.

Run   make bench NAME=traces
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from bench.result import print_result, seconds
from stages.shared import chat
from stages.shared.asking import Allowance, LimitsParams, answer_all
from stages.shared.engines.engine import Request, Sampling
from stages.shared.engines.vllm import VllmEngine
from stages.shared.files import content_id
from stages.shared.store import Store, Wanted
from tests.engines import ON_CPU, VLLM, tiny_model

ROWS = 1500
SAMPLING = Sampling(temperature=1, top_p=1, max_tokens=32)


def main() -> None:
    """Answer as many rows both ways and print both times."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= ON_CPU | {"BRANCHMERGE_CACHE": f"{folder}/store"}
        engine = VllmEngine(
            tiny_model(Path(folder) / "model"),
            SAMPLING,
            VLLM | {"max_num_seqs": 64, "enable_prefix_caching": False},
        )
        _bare(engine, _wanted("warm", 200))
        ours_s = seconds(lambda: _ours(engine, _wanted("ours", ROWS)))
        peer_s = seconds(lambda: _bare(engine, _wanted("peer", ROWS)))
    print(f"{ROWS} rows of {SAMPLING.max_tokens} tokens: ours {ours_s:.1f} s, LLM.generate {peer_s:.1f} s")
    print_result("traces", ours_s, peer_s, "vllm.LLM.generate")


def _wanted(name: str, count: int) -> list[Wanted]:
    return [
        Wanted(content_id(name, number), str(number), 0, f"What is {number:05}+1, {name}?") for number in range(count)
    ]


def _ours(engine: VllmEngine, wanted: list[Wanted]) -> None:
    with Store("tiny") as store:
        store.want(wanted)
        assert answer_all(store, lambda: engine, Allowance(LimitsParams(), SAMPLING.max_tokens, 0), "bench") == len(
            wanted
        )


def _bare(engine: VllmEngine, wanted: list[Wanted]) -> None:
    """What a script does: render, generate, keep the text."""
    import vllm

    llm: Any = engine._llm
    tokenizer = llm.get_tokenizer()
    prompts = [
        {
            "prompt_token_ids": tokenizer(chat.prompt(tokenizer, row.question).text, add_special_tokens=False)[
                "input_ids"
            ]
        }
        for row in wanted
    ]
    sampling = [
        vllm.SamplingParams(
            temperature=SAMPLING.temperature, max_tokens=SAMPLING.max_tokens, seed=Request(row.trace_id, "").seed
        )
        for row in wanted
    ]
    texts = [output.outputs[0].text for output in llm.generate(prompts, sampling)]
    assert len(texts) == len(wanted)


if __name__ == "__main__":
    main()
