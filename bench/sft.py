"""Our training function against a bare TRL script with the same settings, and packed against padded rows.

All on the toy's student. Rows are the toy's, of 37 to 110 tokens, and for packing also conversations of
the toy's problems whose lengths have a long tail, as those of reasoning traces have. Packing is measured
twice: with about as many tokens a step as padded rows have, and with as many sequences, as when
`packing` is switched on and nothing else is changed.

Run   make bench NAME=sft
"""

import random
import tempfile
from pathlib import Path
from typing import Any

from bench.result import print_result, seconds
from stages.base import Architecture, BaseParams, make_network, make_tokenizer, solution
from stages.shared.chat import conversation, training_row
from stages.shared.params import RunParams, read_params
from stages.shared.problems import Problem, problems
from stages.shared.training.hyperparameters import TrainingParams
from stages.shared.training.rows import Examples, TokenRow
from stages.shared.training.run import Trained, train

STEPS, LONG_STEPS = 100, 20
ROUNDS = 3
ROWS = 16  # a step, where they are padded
PACKED_TOKENS, LONG_TOKENS = 320, 1024
TOY = Path("profiles/toy.yaml")


def main() -> None:
    """Train in turns from the same weights; the best round of each counts, as the machine is never quite idle."""
    run_params = read_params(RunParams, "run", file=TOY)
    scratch = read_params(BaseParams, "base.student", file=TOY).scratch
    assert scratch
    shape = scratch.architecture.model_copy(update={"max_position_embeddings": LONG_TOKENS})
    padded = {"packing": False, "batch_size": ROWS}  # the toy itself packs
    params = scratch.training.model_copy(update={"max_steps": STEPS, **padded})
    solved = [problem for source in scratch.problems for problem in problems(source, "train", 0, 1000)]
    tokenizer = make_tokenizer(solved, shape.vocab_size)
    rows = [training_row(tokenizer, conversation(problem.question, solution(problem))) for problem in solved]
    _bare(make_network(shape, tokenizer, 0), tokenizer, rows, params, run_params)  # pays for imports and allocation
    bare_s = min(
        seconds(_bare, make_network(shape, tokenizer, 0), tokenizer, rows, params, run_params) for _ in range(ROUNDS)
    )
    ours_s = _packing("the toy's rows", shape, tokenizer, rows, params, run_params, PACKED_TOKENS)
    long = params.model_copy(update={"max_steps": LONG_STEPS, "max_length": LONG_TOKENS})
    _packing("long-tailed rows", shape, tokenizer, _long_tailed(tokenizer, solved), long, run_params, LONG_TOKENS)
    print(f"{STEPS} steps of {params.batch_size} rows: ours {ours_s} s, bare TRL {bare_s} s")
    print_result("sft", ours_s, bare_s, "trl.SFTTrainer")


def _packing(
    name: str,
    shape: Architecture,
    tokenizer: Any,
    rows: list[TokenRow],
    params: TrainingParams,
    run_params: RunParams,
    packed_tokens: int,
) -> float:
    """Print tokens/s of padded and of packed rows; seconds of the padded."""
    lengths = [len(row["input_ids"]) for row in rows]
    mean = sum(lengths) / len(lengths)
    sequences = max(1, round(params.batch_size * mean / packed_tokens))
    packed = params.model_copy(update={"packing": True, "max_length": packed_tokens})
    kinds = {
        "padded": params,
        "packed, as many tokens a step": packed.model_copy(update={"batch_size": sequences}),
        "packed, as many sequences a step": packed.model_copy(update={"max_steps": (params.max_steps or STEPS) // 4}),
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    used: dict[str, Trained] = {}
    for _ in range(ROUNDS):
        for kind, chosen in kinds.items():
            network = make_network(shape, tokenizer, run_params.seed)
            times[kind].append(seconds(_ours, kind, used, network, tokenizer, rows, chosen, run_params))
    speed = {kind: used[kind].tokens / min(times[kind]) for kind in times}
    random.Random(0).shuffle(lengths)  # as training does
    batches = [lengths[start : start + params.batch_size] for start in range(0, len(rows), params.batch_size)]
    filled = sum(lengths) / sum(len(batch) * max(batch) for batch in batches)
    print(f"{name} of {mean:.0f} tokens, at most {max(lengths)}; padded batches are {filled:.0%} tokens")
    for kind in kinds:
        print(f"  {kind}: {speed[kind]:.0f} tokens/s, ratio {speed[kind] / speed['padded']:.2f}")
    return min(times["padded"])


def _long_tailed(tokenizer: Any, solved: list[Problem]) -> list[TokenRow]:
    """Conversations of 1 to 14 problems: half have at most 2, one in eight more than 7."""
    draw = random.Random(0)
    conversations = []
    for _ in range(400):
        turns = min(14, 1 + int(draw.lognormvariate(0.5, 1.2)))
        chosen = draw.sample(solved, turns)
        conversations.append([message for one in chosen for message in conversation(one.question, solution(one))])
    rows = [training_row(tokenizer, messages) for messages in conversations]
    return [row for row in rows if len(row["input_ids"]) <= LONG_TOKENS]


def _ours(
    name: str,
    used: dict[str, Trained],
    network: Any,
    tokenizer: Any,
    rows: list[TokenRow],
    params: TrainingParams,
    run_params: RunParams,
) -> None:
    with tempfile.TemporaryDirectory() as metrics:
        used[name] = train(network, tokenizer, Examples(rows), params, run_params, Path(metrics), name)


def _bare(network: Any, tokenizer: Any, rows: list[TokenRow], params: TrainingParams, run_params: RunParams) -> None:
    """The shortest TRL script with these settings."""
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(run_params.threads)
    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(
            output_dir=folder,
            max_steps=params.max_steps,
            per_device_train_batch_size=params.batch_size,
            learning_rate=params.learning_rate,
            lr_scheduler_type=params.lr_scheduler,
            max_length=params.max_length,
            completion_only_loss=True,
            bf16=False,
            use_cpu=True,
            gradient_checkpointing=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_steps=params.logging_steps,
        )
        SFTTrainer(
            model=network, processing_class=tokenizer, args=arguments, train_dataset=Dataset.from_list(rows)
        ).train()


if __name__ == "__main__":
    main()
