"""One request, whatever runs the model: the same prompt, the same meaning of sampling, the same kinds of answer."""

import importlib.util
import itertools
import json
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from branchmerge.core.errors import StageError
from branchmerge.engines.choice import EngineMachine
from branchmerge.engines.engine import Completion, Engine, Request, Sampling
from branchmerge.engines.openai import OpenAIEngine, OpenAIMachine
from branchmerge.evaluation.respondent import Respondent
from tests.engines import ON_CPU, VLLM, running_vllm, tiny_model, without_llvmlite

QUESTIONS = ["What is 3*4?", "What is 1+1?", "Say hello."]
GREEDY = Sampling(temperature=0, top_p=1, max_tokens=8, dtype="float32")
needs_vllm = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None,
    reason="vLLM IS NOT INSTALLED: its engine is not tested (README, Questions and teachers)",
)
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="RAY IS NOT INSTALLED: its engine is not tested (README, Questions and teachers)",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With settings in its folder that nobody asks for: no engine may obey them."""
    folder = tiny_model(tmp_path_factory.mktemp("engines") / "model")
    file = folder / "generation_config.json"
    unasked = {"repetition_penalty": 9.0, "top_k": 1, "min_p": 0.9, "temperature": 0.1, "do_sample": True}
    file.write_text(json.dumps(json.loads(file.read_text()) | unasked))
    return folder


def transformers_engine(model: Path, sampling: Sampling, batch_size: int = 8) -> Engine:
    from branchmerge.engines.transformers import TransformersEngine, TransformersMachine

    return TransformersEngine(model, sampling, TransformersMachine(batch_size=batch_size), threads=1)


@pytest.fixture(scope="module")
def in_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        without_llvmlite(patch)
        for name, value in ON_CPU.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def vllm_engine(in_process: None) -> Iterator[Callable[..., Engine]]:
    """Makes a test's engine, shut down after it: vLLM's process groups are one a process, and the next engine's."""
    from branchmerge.engines.vllm import VllmEngine

    made: list[VllmEngine] = []

    def make(model: Path, sampling: Sampling, **arguments: Any) -> Engine:
        made.append(VllmEngine(model, sampling, VLLM | arguments))
        return made[-1]

    yield make
    for engine in made:
        engine._llm.llm_engine.engine_core.shutdown()


def ask(engine: Engine, questions: list[str] = QUESTIONS, salt: int = 0) -> dict[str, Completion]:
    """Each question's completion."""
    asked = {f"{salt + number:08x}": question for number, question in enumerate(questions)}
    completions = engine.complete(Request(trace_id, question) for trace_id, question in asked.items())
    return {asked[completion.trace_id]: completion for completion in completions}


@pytest.mark.slow
class TestTransformers:
    def test_a_sample_depends_on_its_own_seed_only(self, model: Path):
        sampling = Sampling(temperature=1, top_p=0.9, max_tokens=8)
        together = ask(transformers_engine(model, sampling))
        alone = ask(transformers_engine(model, sampling, batch_size=1))

        assert together == alone

    def test_another_seed_gives_another_sample(self, model: Path):
        engine = transformers_engine(model, Sampling(temperature=1, top_p=1, max_tokens=8))

        assert ask(engine)[QUESTIONS[0]].text != ask(engine, salt=100)[QUESTIONS[0]].text

    def test_samples_follow_the_models_distribution(self, model: Path):
        import transformers

        from branchmerge.chat import conversation

        sampling = Sampling(temperature=0.3, top_p=0.8, max_tokens=1)
        engine = transformers_engine(model, sampling, batch_size=500)
        requests = [Request(f"{number * 7919:08x}", QUESTIONS[0]) for number in range(4000)]
        drawn = Counter(completion.text for completion in engine.complete(iter(requests)))

        tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        network = transformers.AutoModelForCausalLM.from_pretrained(model)
        ids = tokenizer(
            conversation.prompt(tokenizer, QUESTIONS[0]).text, return_tensors="pt", add_special_tokens=False
        )
        probabilities = (network(**ids).logits[0, -1] / 0.3).softmax(-1)
        ordered, order = probabilities.sort(descending=True)
        nucleus = order[: int((ordered.cumsum(0) < 0.8).sum()) + 1]
        share = probabilities[nucleus] / probabilities[nucleus].sum()
        expected = Counter[str]()
        for token, one in zip(nucleus.tolist(), share.tolist(), strict=True):
            expected[tokenizer.decode([token], skip_special_tokens=True)] += one
        assert drawn.keys() <= expected.keys()
        for text, one in expected.items():
            assert abs(drawn[text] / 4000 - one) < 5 * (one * (1 - one) / 4000) ** 0.5 + 1e-3, text

    def test_an_answer_ends_at_a_stop_text_or_at_the_limit(self, model: Path):
        whole = ask(transformers_engine(model, GREEDY))[QUESTIONS[0]]
        assert whole.text
        stop = whole.text[3:5]
        cut = ask(transformers_engine(model, GREEDY.model_copy(update={"stop": (stop,)})))[QUESTIONS[0]]

        assert (whole.finish_reason, whole.completion_tokens) == ("length", 8)
        before = whole.text[: whole.text.index(stop)]
        assert (cut.finish_reason, cut.text) == ("stop" if before else "empty", before)

    def test_a_prefill_is_part_of_the_answer(self, model: Path):
        engine = transformers_engine(model, GREEDY.model_copy(update={"prefill": "<think>\n"}))

        assert engine.prompt_text("x").endswith("assistant\n<think>\n")
        assert ask(engine)[QUESTIONS[0]].text.startswith("<think>\n")


@pytest.mark.slow
@needs_vllm
class TestVllm:
    @pytest.fixture
    def engine(self, model: Path, vllm_engine: Callable[..., Engine]) -> Engine:
        return vllm_engine(model, GREEDY)

    def test_it_gives_what_transformers_gives(self, model: Path, engine: Engine):
        """Greedy, so equal to the last token: prompt ids, text, counts and reason."""
        assert ask(engine) == ask(transformers_engine(model, GREEDY))

    def test_more_rows_than_it_runs_at_once_are_all_answered(self, engine: Engine):
        questions = [f"What is {number}+1?" for number in range(40)]

        assert ask(engine, questions, salt=1000).keys() == set(questions)

    def test_a_row_that_vllm_refuses_fails_alone(self, engine: Engine):
        too_long = "What is " + "1+" * 200 + "1?"
        answered = ask(engine, [QUESTIONS[0], too_long], salt=2000)

        assert answered[QUESTIONS[0]].finish_reason == "length"
        assert answered[too_long].finish_reason == "error"
        assert "128" in (answered[too_long].error or "")

    def test_seeded_prompts_that_fill_a_step_are_all_answered(self, model: Path, vllm_engine: Callable[..., Engine]):
        """On a CPU, vLLM dies of a seeded prompt that it reads in two steps, so it must not."""
        engine = vllm_engine(
            model, Sampling(temperature=1, top_p=1, max_tokens=4, dtype="float32"), max_num_batched_tokens=128
        )
        questions = [f"What is {'1+' * 15}{number}?" for number in range(16)]

        assert {completion.finish_reason for completion in ask(engine, questions).values()} == {"length"}

    def test_a_sample_is_a_function_of_its_seed(self, model: Path, vllm_engine: Callable[..., Engine]):
        engine = vllm_engine(model, Sampling(temperature=1, top_p=1, max_tokens=8, dtype="float32"))

        assert ask(engine) == ask(engine)
        assert ask(engine)[QUESTIONS[0]].text != ask(engine, salt=100)[QUESTIONS[0]].text


@pytest.fixture(scope="module")
def vllm_server(model: Path) -> Iterator[str]:
    with running_vllm(model) as url:
        yield url


@pytest.mark.slow
@needs_vllm
class TestServer:
    def engine(self, model: Path, url: str, sampling: Sampling, api: Literal["completions", "chat"]) -> OpenAIEngine:
        return OpenAIEngine(model, "tiny", sampling, OpenAIMachine(url=url, api=api))

    @pytest.mark.parametrize("api", ["completions", "chat"])
    @pytest.mark.parametrize(
        "extra", [{}, {"system": "Be brief."}, {"prefill": "<think>\n"}], ids=["plain", "system", "prefill"]
    )
    def test_it_gives_what_transformers_gives(
        self, model: Path, vllm_server: str, api: Literal["completions", "chat"], extra: dict
    ):
        sampling = GREEDY.model_copy(update=extra)

        assert ask(self.engine(model, vllm_server, sampling, api=api)) == ask(transformers_engine(model, sampling))

    @pytest.mark.parametrize(
        "extra", [{}, {"system": "Be brief."}, {"prefill": "<think>\n"}], ids=["plain", "system", "prefill"]
    )
    def test_the_servers_prompt_is_ours_to_the_last_token(self, model: Path, vllm_server: str, extra: dict):
        import transformers

        sampling = GREEDY.model_copy(update=extra)
        engine = self.engine(model, vllm_server, sampling, api="chat")
        _, body = engine._body(Request("0" * 8, QUESTIONS[0]))
        asked = {"model": "tiny", "add_generation_prompt": True, "add_special_tokens": False} | {
            key: body[key] for key in ("messages", "add_generation_prompt", "continue_final_message") if key in body
        }
        call = urllib.request.Request(
            vllm_server.replace("/v1", "/tokenize"), json.dumps(asked).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(call) as reply:
            rendered = json.load(reply)["tokens"]
        tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        ours = tokenizer(transformers_engine(model, sampling).prompt_text(QUESTIONS[0]), add_special_tokens=False)

        assert rendered == ours["input_ids"]


@pytest.mark.slow
@needs_vllm
def test_an_evaluation_asks_a_server_once_for_each_answer(model: Path, vllm_server: str):
    def calls() -> int:
        with urllib.request.urlopen(vllm_server.replace("/v1", "/metrics")) as reply:
            lines = reply.read().decode().splitlines()
        return int(sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:request_success_total{")))

    questions = [{"prompt_id": f"p{number}", "question": f"What is {number}+2?"} for number in range(5)]
    sampling = Sampling(temperature=1, top_p=1, max_tokens=8)
    machine = EngineMachine(engine="openai", openai=OpenAIMachine(url=vllm_server))
    counts = [calls()]
    for model_hash, samples in (("one", 4), ("one", 4), ("one", 8), ("other", 8)):
        asked = Respondent(model, model_hash, "tiny", machine, threads=1)
        answers = asked.answers(questions, sampling, samples, seed=0, label="counted", quiet=True)
        assert len(answers) == 5 * samples
        counts.append(calls())

    assert [after - before for before, after in itertools.pairwise(counts)] == [20, 0, 20, 40]


@pytest.mark.slow
@needs_vllm
@needs_ray
def test_replicas_on_a_ray_cluster_give_what_transformers_gives_and_a_lost_one_ends_the_stage(model: Path):
    import ray
    from ray.cluster_utils import Cluster

    from branchmerge.engines.ray import RayEngine, RayMachine

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        params = RayMachine(
            address=cluster.address,
            replicas=2,
            gpus_per_replica=0,
            cpus_per_replica=1,
            batch_size=2,
            environment=ON_CPU,
        )
        engine = RayEngine(model, GREEDY, params, VLLM)
        questions = [f"What is {number}+1?" for number in range(12)]

        assert ask(engine, questions) == ask(transformers_engine(model, GREEDY), questions)
        nodes = {actor["NodeID"] for actor in _actors(ray)}
        assert len(nodes) == 2
        ray.kill(engine._replicas[1])
        with pytest.raises(StageError, match=r"2 replicas of the teacher at work on the cluster .* answers so far are"):
            ask(engine, questions)
    finally:
        ray.shutdown()
        cluster.shutdown()


def _actors(ray: object) -> list[dict]:
    from ray._private.state import actors

    return [{"NodeID": actor["Address"]["NodeID"]} for actor in actors().values() if actor["State"] == "ALIVE"]
