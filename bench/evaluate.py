"""Answers of a built model to its benchmarks: ours beside `lm_eval --model hf`, a known store, and bare vLLM.

All start with the model loaded, ask the same questions greedily, and keep the texts; start-up, which is imports of
torch and transformers for all, is printed apart. lm-eval has batches of 40, its fastest here: its default is 1.

Run   make bench NAME=evaluate   in a finished build
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from bench.result import TINY, print_result, seconds
from branchmerge.core.files import Row, folder_hash
from branchmerge.core.machine import RunMachine, read_machine
from branchmerge.core.params import read_params
from branchmerge.engines.choice import EngineMachine
from branchmerge.engines.engine import Sampling, prompt_of
from branchmerge.evaluation.params import EvaluateParams
from branchmerge.evaluation.questions import questions_of
from branchmerge.evaluation.respondent import Respondent
from branchmerge.evaluation.scores import sampling_of
from tests.engines import ON_CPU

MODEL, BATCH = Path("models/merged"), 40
ARGUMENTS = {"enforce_eager": True, "max_model_len": 512, "max_num_seqs": 64, "enable_prefix_caching": False}

Work = list[tuple[list[Row], Sampling]]  # each benchmark's questions


def main(tiny: bool = TINY) -> None:
    """Ask all questions each way and print the times."""
    params = read_params(EvaluateParams)
    work: Work = [
        (questions_of(name)[: 4 if tiny else None], _greedy(sampling_of(benchmark, params.dtype)))
        for name, benchmark in params.benchmarks.items()
    ]
    count = sum(len(questions) for questions, _ in work)
    threads = read_machine(RunMachine).threads
    with tempfile.TemporaryDirectory() as store:
        os.environ |= {"BRANCHMERGE_CACHE": store}
        asked = Respondent(MODEL, folder_hash(MODEL), "merged", EngineMachine(engine="transformers"), threads)
        start_s = seconds(asked._under, work[0][1])
        ours_s, warm_s = seconds(_ours, asked, work), seconds(_ours, asked, work)
        print(f"{count} questions, start-up {start_s:.1f} s: ours {ours_s:.1f} s, known already {warm_s:.2f} s")
        if tiny:
            return
        peer_s = seconds(_LmEval(params.dtype).ask, work)
        print(f"lm_eval --model hf {peer_s:.1f} s; a known store is {peer_s / max(warm_s, 0.01):.0f} times as fast")
        print_result("evaluate vllm", *_vllm(work, threads), "vllm.LLM.generate")
        print_result("evaluate", ours_s, peer_s, "lm_eval --model hf")


def _greedy(sampling: Sampling) -> Sampling:
    return sampling.model_copy(update={"temperature": 0, "top_p": 1.0})


def _ours(asked: Respondent, work: Work) -> None:
    for questions, sampling in work:
        assert len(asked.answers(questions, sampling, 1, 0, "bench", quiet=True)) == len(questions)


class _LmEval:
    """lm-eval's own model of transformers."""

    def __init__(self, dtype: str) -> None:
        from lm_eval.models.huggingface import HFLM

        self._model = HFLM(pretrained=str(MODEL), device="cpu", dtype=dtype, batch_size=BATCH)

    def ask(self, work: Work) -> None:
        from lm_eval.api.instance import Instance

        for questions, sampling in work:
            settings = {"until": [], "max_gen_toks": sampling.max_tokens, "do_sample": False}
            prompts = [prompt_of(self._model.tokenizer, question["question"], sampling).text for question in questions]
            asked = [Instance("generate_until", {}, (prompt, settings), place) for place, prompt in enumerate(prompts)]
            assert len(self._model.generate_until(asked, disable_tqdm=True)) == len(questions)


def _vllm(work: Work, threads: int) -> tuple[float, float]:
    """Seconds of ours and of vLLM alone, with the same engine."""
    os.environ |= ON_CPU
    machine = EngineMachine(engine="vllm", vllm=ARGUMENTS)
    asked = Respondent(MODEL, "vllm", "merged", machine, threads)
    engine: Any = asked._under(work[0][1])
    _bare(engine._llm, work)  # warm
    return seconds(_ours, asked, work), seconds(_bare, engine._llm, work)


def _bare(llm: Any, work: Work) -> None:
    """What a script does: render, generate, keep the text."""
    import vllm

    tokenizer = llm.get_tokenizer()
    for questions, sampling in work:
        texts = [prompt_of(tokenizer, question["question"], sampling).text for question in questions]
        prompts = [{"prompt_token_ids": ids} for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
        outputs = llm.generate(prompts, vllm.SamplingParams(temperature=0, max_tokens=sampling.max_tokens))
        assert len([output.outputs[0].text for output in outputs]) == len(questions)


if __name__ == "__main__":
    main()
