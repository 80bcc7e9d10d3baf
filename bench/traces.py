"""The traces stage's way of asking, against the bare engine on the same work: vLLM's LLM.generate.

Both run the same vLLM in the same process on prompts of equal length; ours also keeps every row in the row
store and holds budget and progress. What it costs on top is the same for every row, so it shows on short answers;
the last line is that of the longer ones (a mean trace of DeepSeek-R1 has some 6,000 tokens).

Run   make bench NAME=traces
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from bench.result import TINY, print_result, seconds
from branchmerge.chat import conversation
from branchmerge.core.files import content_id
from branchmerge.engines.engine import Engine, Request, Sampling
from branchmerge.engines.transformers import TransformersEngine, TransformersMachine
from branchmerge.engines.vllm import VllmEngine
from branchmerge.rowstore.asking import Allowance, LimitsParams, answer_all
from branchmerge.rowstore.store import Store, Wanted
from tests.engines import ON_CPU, VLLM, tiny_model

ROWS = {32: 1500, 256: 600}  # tokens of an answer -> rows
ARGUMENTS = VLLM | {"max_num_seqs": 64, "max_model_len": 512, "enable_prefix_caching": False}


def main(tiny: bool = TINY) -> None:
    """Answer as many rows both ways and print both times.

    Where it is tiny, ours alone, and with transformers: vLLM takes 40 s to start on a CPU.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= ON_CPU | {"BRANCHMERGE_CACHE": f"{folder}/store"}
        model = tiny_model(Path(folder) / "model")
        if tiny:
            return _ours(TransformersEngine(model, _sampling(8), TransformersMachine(), 1), 8, _wanted("ours", 10))
        for max_tokens, rows in ROWS.items():
            sampling = _sampling(max_tokens)
            engine = VllmEngine(model, sampling, ARGUMENTS)
            _bare(engine, sampling, _wanted("warm", 200))
            ours_s = seconds(_ours, engine, max_tokens, _wanted(f"ours {max_tokens}", rows))
            peer_s = seconds(_bare, engine, sampling, _wanted(f"peer {max_tokens}", rows))
            print(f"{rows} rows of {max_tokens} tokens: ours {ours_s:.1f} s, LLM.generate {peer_s:.1f} s")
    print_result("traces", ours_s, peer_s, "vllm.LLM.generate")
    return None


def _sampling(max_tokens: int) -> Sampling:
    return Sampling(temperature=1, top_p=1, max_tokens=max_tokens, dtype="float32")


def _wanted(name: str, count: int) -> list[Wanted]:
    return [
        Wanted(content_id(name, number), str(number), 0, f"What is {number:05}+1, {name}?") for number in range(count)
    ]


def _ours(engine: Engine, max_tokens: int, wanted: list[Wanted]) -> None:
    with Store("tiny") as store:
        store.want(wanted)
        allowance = Allowance(LimitsParams(), max_tokens, 0)
        assert answer_all(store, lambda: engine, allowance, "bench") == len(wanted)


def _bare(engine: VllmEngine, sampling: Sampling, wanted: list[Wanted]) -> None:
    """What a script does: render, generate, keep the text."""
    import vllm

    llm: Any = engine._llm
    tokenizer = llm.get_tokenizer()
    prompts = [
        {
            "prompt_token_ids": tokenizer(conversation.prompt(tokenizer, row.question).text, add_special_tokens=False)[
                "input_ids"
            ]
        }
        for row in wanted
    ]
    each = [
        vllm.SamplingParams(
            temperature=sampling.temperature, max_tokens=sampling.max_tokens, seed=Request(row.trace_id, "").seed
        )
        for row in wanted
    ]
    texts = [output.outputs[0].text for output in llm.generate(prompts, each)]
    assert len(texts) == len(wanted)


if __name__ == "__main__":
    main()
