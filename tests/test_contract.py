"""One rendering of a conversation, from training over merging to serving."""

import copy
import importlib.util
import json
from pathlib import Path

import pytest

from branchmerge.chat import contract
from branchmerge.chat.conversation import exchange, lengths, prompt, training_row
from branchmerge.core.errors import InputError
from tests.learner import tiny_model, tiny_tokenizer

ANSWER = "<think>\n3*4=12\n</think>\n12"
QUESTION = "What is 3*4?"
needs_vllm = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None,
    reason="VLLM IS NOT INSTALLED: its rendering is not compared (README, Questions and teachers)",
)
TEMPLATES = Path(next(iter(importlib.util.find_spec("trl").submodule_search_locations))) / "chat_templates"


def tokenizer_with(template: str, eos: str = "<|im_end|>", specials: tuple[str, ...] = ()):
    """Ours under another template, with the special tokens it writes."""
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"eos_token": eos, "additional_special_tokens": list(specials)})
    tokenizer.chat_template = template
    return tokenizer


def deepseek():
    """The template of DeepSeek-R1's distilled models, as TRL carries it."""
    marks = ("<｜User｜>", "<｜Assistant｜>")
    tokenizer = tokenizer_with((TEMPLATES / "deepseek_r1_distill.jinja").read_text(), "<｜end▁of▁sentence｜>", marks)
    tokenizer.add_special_tokens({"bos_token": "<｜begin▁of▁sentence｜>"})
    return tokenizer


def qwen(version: str):
    return tokenizer_with((TEMPLATES / f"{version}.jinja").read_text())


TOKENIZERS = {
    "ours": tiny_tokenizer,
    "DeepSeek-R1-Distill": deepseek,
    "Qwen2.5": lambda: qwen("qwen2_5"),
    "Qwen3": lambda: qwen("qwen3"),
}


@pytest.fixture(scope="module", params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest):
    return TOKENIZERS[request.param]()


def with_loss(tokenizer, row) -> str:
    return tokenizer.decode([id_ for id_, mask in zip(row["input_ids"], row["completion_mask"], strict=True) if mask])


class TestEveryTemplate:
    def test_it_is_taken_as_it_is(self, tokenizer):
        assert contract.contract(tokenizer)["stop_token"] == tokenizer.eos_token

    def test_the_training_prefix_is_the_generation_prompt_in_token_ids(self, tokenizer):
        row = training_row(tokenizer, exchange(QUESTION, ANSWER))
        asked = tokenizer.apply_chat_template([{"role": "user", "content": QUESTION}], add_generation_prompt=True)[
            "input_ids"
        ]

        assert row["input_ids"][: len(asked)] == asked
        assert row["completion_mask"] == [0] * len(asked) + [1] * (len(row["input_ids"]) - len(asked))

    def test_the_stop_token_carries_loss_and_nothing_of_the_prompt_does(self, tokenizer):
        row = training_row(tokenizer, exchange(QUESTION, ANSWER))
        opening = prompt(tokenizer, QUESTION).opening

        assert with_loss(tokenizer, row) == ANSWER.removeprefix(opening) + tokenizer.eos_token
        assert (row["input_ids"][-1], row["completion_mask"][-1]) == (tokenizer.eos_token_id, 1)

    def test_the_thought_is_opened_once_and_closed_once(self, tokenizer):
        text = tokenizer.decode(training_row(tokenizer, exchange(QUESTION, ANSWER))["input_ids"])

        assert (text.count("<think>"), text.count("</think>")) == (1, 1)

    def test_a_thought_is_learnt_in_the_last_of_several_turns_too(self, tokenizer):
        turns = [*exchange("What is 1+1?", "<think>\n1+1=2\n</think>\n2"), *exchange(QUESTION, ANSWER)]
        row = training_row(tokenizer, turns)
        opening = prompt(tokenizer, QUESTION).opening

        assert with_loss(tokenizer, row) == ANSWER.removeprefix(opening) + tokenizer.eos_token
        assert "2" + tokenizer.eos_token in tokenizer.decode(row["input_ids"])

    @pytest.mark.parametrize("text", ["{stop}", "a {stop} and {stop}{stop} b", "{pad}", "{pad} {stop} 12"])
    @pytest.mark.parametrize("place", ["<think>\n{}\n</think>\n12", "<think>\nhm\n</think>\nIt is {} here."])
    def test_a_special_token_that_an_answer_names_is_text(self, tokenizer, text: str, place: str):
        answer = place.format(text.format(stop=tokenizer.eos_token, pad=tokenizer.pad_token))
        row = training_row(tokenizer, exchange(QUESTION, answer))
        ids = [id_ for id_, mask in zip(row["input_ids"], row["completion_mask"], strict=True) if mask]
        opening = prompt(tokenizer, QUESTION).opening

        assert ids.index(tokenizer.eos_token_id) == len(ids) - 1
        assert not set(ids[:-1]) & set(tokenizer.all_special_ids)
        assert tokenizer.decode(ids, skip_special_tokens=True) == answer.removeprefix(opening)

    @pytest.mark.parametrize("end", ["{}", "{}\n", "\n{}{}\n"])
    def test_a_stop_token_that_ends_an_answer_is_its_end(self, tokenizer, end: str):
        ended = ANSWER + end.format(*[tokenizer.eos_token] * 2)
        row = training_row(tokenizer, exchange(QUESTION, ended))

        assert with_loss(tokenizer, row).count(tokenizer.eos_token) == 1
        assert with_loss(tokenizer, row).removesuffix(tokenizer.eos_token).strip() in ANSWER

    def test_lengths_are_those_of_the_training_rows(self, tokenizer):
        stop = tokenizer.eos_token
        exchanges = [(QUESTION, ANSWER), ("Why?", "<think>because</think>so"), ("x", "\n<think>\n\nz\n</think>\ny")]
        exchanges += [(f"What is {stop}?", f"<think>\n{stop}\n</think>\n{stop} it is"), ("x", ANSWER + stop)]
        rows = [training_row(tokenizer, exchange(*pair)) for pair in exchanges]

        assert lengths(tokenizer, exchanges) == [len(row["input_ids"]) for row in rows]


def test_our_template_keeps_the_thoughts_of_earlier_turns():
    turns = [*exchange("What is 1+1?", "<think>\n1+1=2\n</think>\n2"), *exchange(QUESTION, ANSWER)]
    tokenizer = tiny_tokenizer()

    assert "1+1=2\n</think>" in tokenizer.decode(training_row(tokenizer, turns)["input_ids"])


def test_a_prefilled_thought_stands_in_the_prompt_as_it_stands_in_training():
    tokenizer = tiny_tokenizer()
    asked = tokenizer(prompt(tokenizer, QUESTION, prefill="<think>\n").text, add_special_tokens=False)["input_ids"]
    row = training_row(tokenizer, exchange(QUESTION, ANSWER))

    assert row["input_ids"][: len(asked)] == asked


def test_an_answer_without_thought_is_refused_where_the_template_opens_one():
    with pytest.raises(InputError, match=r"the answer '12': expected a thought.*Set curate.require_thought: true"):
        training_row(deepseek(), exchange(QUESTION, "12"))


REFUSED = {
    "no template": (lambda: tokenizer_with(""), "a tokenizer with a chat template, got none"),
    "today's date": (
        lambda: tokenizer_with((TEMPLATES / "llama3_2.jinja").read_text(), "<|eot_id|>"),
        r"the same prompt every day.*strftime_now",
    ),
    "another stop token": (  # as a base model's tokenizer under a chat model's template
        lambda: tokenizer_with(tiny_tokenizer().chat_template, "<|endoftext|>"),
        r"stop token <\|endoftext\|>, got '<\|im_end\|>",
    ),
    "an answer left out": (
        lambda: tokenizer_with("{{ messages[0].content }}"),
        "got no answer in the rendered conversation",
    ),
    "special think tags": (
        lambda: tokenizer_with(tiny_tokenizer().chat_template, specials=("<think>", "</think>")),
        "think tags that survive decoding",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_template_that_breaks_the_contract_is_refused_with_the_reason(case: str):
    make, message = REFUSED[case]

    with pytest.raises(InputError, match=message):
        contract.contract(make())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contract") / "model"
    tokenizer = tiny_tokenizer()
    tiny_model(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    contract.write_contract(folder, tokenizer)
    return folder


@pytest.fixture
def model(made: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(made, tmp_path / "model"))


@pytest.mark.slow
class TestFolder:
    def test_a_template_that_was_exchanged_is_found(self, model: Path):
        (model / "chat_template.jinja").write_text((TEMPLATES / "qwen3.jinja").read_text())

        with pytest.raises(InputError, match=r"expected chat_template_sha256 .*got chat_template_sha256"):
            contract.check_contract(model)

    def test_a_stop_token_that_does_not_end_generation_is_found(self, model: Path):
        settings = model / "generation_config.json"
        settings.write_text(json.dumps(json.loads(settings.read_text()) | {"eos_token_id": 7}))

        with pytest.raises(InputError, match=r"eos_token_id: expected \d+, the tokenizer's stop token .* got 7"):
            contract.check_contract(model)

    def test_a_branch_of_another_template_is_not_merged(self, model: Path, tmp_path: Path, monkeypatch):
        import shutil

        from stages.merge import _check_contracts

        tokenizer = tiny_tokenizer()
        monkeypatch.chdir(tmp_path)
        for name in ("student", "branches/math", "branches/code"):
            shutil.copytree(model, tmp_path / "models" / name)
        tokenizer.chat_template = (TEMPLATES / "qwen3.jinja").read_text()
        tokenizer.save_pretrained("models/branches/code")
        contract.write_contract(Path("models/branches/code"), tokenizer)

        with pytest.raises(InputError, match="branch code: expected chat_template_sha256"):
            _check_contracts({name: Path("models/branches") / name for name in ("math", "code")})

    def test_lm_eval_asks_with_the_ids_of_training(self, model: Path):
        from lm_eval.models.huggingface import HFLM

        tokenizer = deepseek()  # writes its first token itself: a second one would be another prompt
        tokenizer.save_pretrained(model)
        evaluator = HFLM(pretrained=str(model), device="cpu", dtype="float32", batch_size=1)
        text = evaluator.apply_chat_template([{"role": "user", "content": QUESTION}])
        ids, _ = evaluator.tok_batch_encode([text])

        row = training_row(tokenizer, exchange(QUESTION, ANSWER))
        assert row["input_ids"][: ids.shape[1]] == ids[0].tolist()
        assert row["completion_mask"][ids.shape[1]] == 1


@pytest.mark.slow
@needs_vllm
def test_vllm_renders_the_ids_of_training(model: Path, monkeypatch: pytest.MonkeyPatch):
    """By its chat interface, as a server does; with templates that open a thought, and with several turns."""
    from tests.engines import ON_CPU, VLLM, without_llvmlite

    without_llvmlite(monkeypatch)
    for name, value in ON_CPU.items():
        monkeypatch.setenv(name, value)
    import vllm

    llm = vllm.LLM(model=str(model), dtype="float32", **VLLM | {"max_model_len": 512})
    params = vllm.SamplingParams(max_tokens=1, temperature=0)
    turns = [*exchange("What is 1+1?", "<think>\n1+1=2\n</think>\n2"), *exchange(QUESTION, ANSWER)]
    ours = tiny_tokenizer()
    for template in (ours.chat_template, *((TEMPLATES / f"{name}.jinja").read_text() for name in ("qwen2_5", "qwen3"))):
        tokenizer = copy.deepcopy(ours)
        tokenizer.chat_template = template
        for messages in (turns[2:], turns):
            (answer,) = llm.chat(messages[:-1], params, chat_template=template, use_tqdm=False)
            row = training_row(tokenizer, messages)
            prefix = [id_ for id_, mask in zip(row["input_ids"], row["completion_mask"], strict=True) if not mask]
            assert list(answer.prompt_token_ids) == prefix
