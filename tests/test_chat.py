"""The tokens a model is trained on are those it is asked and graded with."""

import copy
from pathlib import Path

import pytest

from branchmerge.bases.scratch import make_tokenizer
from branchmerge.chat.conversation import exchange, prompt, response, training_row
from branchmerge.core.errors import InputError
from branchmerge.sources.problems import Problem

ANSWER = "<think>\n3*4=12\n</think>\n12"


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer([Problem("What is 3*4?", "3*4=12", "12")], vocab_size=384)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>\na\n</think>\nb", "a", "b"),
        ("b", None, "b"),
        ("<think>\na", None, None),  # cut off while thinking: no answer
        ("<think>a</think>", "a", ""),
        ("a\n</think>\nb", "a", "b"),  # the template opened the thinking
    ],
)
def test_a_response_is_taken_apart_at_its_think_tags(text: str, reasoning: str | None, answer: str | None):
    assert (response(text).reasoning, response(text).answer) == (reasoning, answer)


def test_the_answer_and_the_stop_token_carry_loss_and_nothing_of_the_prompt(tokenizer):
    row = training_row(tokenizer, exchange("What is 3*4?", ANSWER))
    with_loss = [id_ for id_, mask in zip(row["input_ids"], row["completion_mask"], strict=True) if mask]
    without = [id_ for id_, mask in zip(row["input_ids"], row["completion_mask"], strict=True) if not mask]

    assert tokenizer.decode(with_loss) == f"{ANSWER}<|im_end|>"
    assert with_loss[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(without) == "<|im_start|>user\nWhat is 3*4?<|im_end|>\n<|im_start|>assistant\n"


def test_the_training_prefix_is_the_generation_prompt(tokenizer):
    row = training_row(tokenizer, exchange("What is 3*4?", ANSWER))
    prefix = tokenizer(prompt(tokenizer, "What is 3*4?").text, add_special_tokens=False)["input_ids"]

    assert row["input_ids"][: len(prefix)] == prefix


def test_the_template_marks_the_same_tokens(tokenizer):
    """The chat template's own generation marks are an independent account of what carries loss."""
    row = training_row(tokenizer, exchange("What is 3*4?", ANSWER))
    marked = tokenizer.apply_chat_template(
        exchange("What is 3*4?", ANSWER), return_dict=True, return_assistant_tokens_mask=True
    )
    length = len(row["input_ids"])  # after the stop token the template writes a line break

    assert marked["input_ids"][:length] == row["input_ids"]
    assert marked["assistant_masks"][:length] == row["completion_mask"]


def test_every_digit_is_a_token_and_think_tags_survive_decoding(tokenizer):
    ids = tokenizer(ANSWER, add_special_tokens=False)["input_ids"]

    assert [tokenizer.decode([id_]) for id_ in ids].count("1") == 2
    assert tokenizer.decode(ids, skip_special_tokens=True) == ANSWER


def test_the_template_is_a_file_of_its_own(project: Path, tokenizer):
    assert tokenizer.chat_template == (project / "branchmerge/bases/chat.jinja").read_text()


def test_a_system_message_and_a_prefill_stand_in_the_prompt_and_the_prefill_in_the_answer(tokenizer):
    given = prompt(tokenizer, "What is 3*4?", system="Be brief.", prefill="<think>\n")

    assert given.text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is 3*4?<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n"
    )
    assert given.opening == "<think>\n"


@pytest.mark.parametrize(
    ("template", "got"),
    [
        ("{% if messages[0].role == 'system' %}{{ raise_exception('No system role') }}{% endif %}", "No system role"),
        ("{% for message in messages if message.role == 'user' %}{{ message.content }}{% endfor %}", "leaves it out"),
    ],
)
def test_a_template_without_a_system_role_refuses_a_system_message(tokenizer, template: str, got: str):
    without = copy.deepcopy(tokenizer)
    without.chat_template = template

    with pytest.raises(InputError, match=rf"one that takes a system message.*got .*{got}.*\(traces.system\)"):
        prompt(without, "What is 3*4?", system="Be brief.")
    assert prompt(without, "What is 3*4?")


def test_a_template_that_puts_the_system_message_into_the_question_takes_it(tokenizer):
    folding = copy.deepcopy(tokenizer)
    folding.chat_template = "user: {% for message in messages %}{{ message.content | trim }} {% endfor %}"

    assert prompt(folding, "What is 3*4?", system="Be brief.\n").text == "user: Be brief. What is 3*4? "


def test_a_template_that_opens_the_thinking_does_not_open_it_twice(tokenizer):
    opens = copy.deepcopy(tokenizer)
    opens.chat_template = tokenizer.chat_template + "{% if add_generation_prompt %}<think>\n{% endif %}"
    row = training_row(opens, exchange("What is 3*4?", ANSWER))

    assert prompt(opens, "What is 3*4?").opening == "<think>\n"
    assert opens.decode(row["input_ids"]).count("<think>") == 1
    assert opens.decode(row["input_ids"]) == tokenizer.decode(
        training_row(tokenizer, exchange("What is 3*4?", ANSWER))["input_ids"]
    )
