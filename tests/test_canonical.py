"""A model that answers HumanEval with its own solutions has all of it right: from the file to the score."""

import gzip
import json
from pathlib import Path

import pytest

from branchmerge.chat import contract
from branchmerge.core.files import read_rows
from branchmerge.core.params import PARAMS
from branchmerge.core.records import PROMPT, SCORE
from branchmerge.sources.pins import read_pin
from stages import evaluate, prompts, source
from tests import hub
from tests.conftest import ROOT
from tests.engines import tiny_model
from tests.programs import verify_params
from tests.server import running

HUMAN_EVAL = ROOT.parent / "shared/data/humaneval/HumanEval.jsonl.gz"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HUMAN_EVAL.is_file(), reason="NO shared/data BESIDE THE PROJECT: HumanEval is not asked"),
]


def make_model(folder: Path) -> None:
    """Whose tokenizer counts; a server answers for it."""
    from transformers import AutoTokenizer

    tiny_model(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 1 << 16}))
    contract.write_contract(folder, AutoTokenizer.from_pretrained(folder))


def write_params() -> None:
    benchmark = {"samples_per_question": 1, "temperature": 0, "top_p": 1, "max_tokens": 512}
    sections = {
        "run": {"seed": 0},
        "source": {"humaneval": {"path": "sources/humaneval.yaml", "max_train_rows": 0, "max_test_rows": 164}},
        "domains": {"code": {"prompts": {"sources": ["humaneval"]}}},
        "verify": verify_params(wall_s=10, program_wall_s=10).model_dump(mode="json"),
        "evaluate": {"dtype": "auto", "benchmarks": {"code": benchmark}},
    }
    PARAMS.write_text(json.dumps(sections))


def test_the_canonical_solutions_of_humaneval_score_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRANCHMERGE_CACHE", str(tmp_path / "store"))
    hub.use_cache(tmp_path / "hub", monkeypatch)
    Path("sources").symlink_to(ROOT / "sources")  # with their number of rows
    rows = [json.loads(line) for line in gzip.decompress(HUMAN_EVAL.read_bytes()).splitlines()]
    hub.place(Path("hub"), read_pin(Path("sources/humaneval.yaml")), rows)
    write_params()
    source.main("humaneval")
    prompts.main("code")
    questions = read_rows(Path("data/benchmarks/code.parquet"), PROMPT)
    solved = {row["prompt"]: row["prompt"] + row["canonical_solution"] for row in rows}
    said = {
        question["question"]: f"<think>\nhm\n</think>\n```python\n{solution}```"
        for question in questions
        for prompt, solution in solved.items()
        if f"```python\n{prompt}```" in question["question"]
    }
    Path("answers.json").write_text(json.dumps(said))
    make_model(Path("models/oracle"))

    with running("--answers", str(tmp_path / "answers.json")) as server:
        machine = {"engine": "openai", "openai": {"url": server.url, "api": "chat"}}
        Path("machine.yaml").write_text(json.dumps({"run": {"threads": 2}, "evaluate": machine}))
        evaluate.main("oracle", Path("models/oracle"))
    scores = read_rows(Path("reports/eval/oracle.parquet"), SCORE)

    assert len(scores) == 164
    assert [row["reason"] for row in scores if not row["is_correct"]] == []
