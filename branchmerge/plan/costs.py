"""What each stage that uses a model computes: rows, tokens, steps, floating point operations and seconds."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from branchmerge.engines.choice import EngineMachine
from branchmerge.plan.build import Build
from branchmerge.plan.devices import CPU, Device
from branchmerge.plan.lengths import MEAN_ANSWER_SHARE, MEAN_SHARE, Lengths, lengths_of, questions_of
from branchmerge.plan.shapes import Shape
from branchmerge.rowstore.ready_made import SOURCES
from branchmerge.training.batches import split_batch
from branchmerge.training.hyperparameters import TrainingParams
from branchmerge.training.machine import LaunchMachine, Setup

TRANSFORMERS_BATCH = 256  # where a batch is fitted to the memory, its largest
VLLM_BATCH = 64  # ASSUMED rows that vLLM has under way, where machine.yaml gives it no max_num_seqs
LONGEST = 2  # ASSUMED answer of a batch, in mean answers; 1.2 to 2.0 on the toy, whose batches hold questions as long
ASSUMED_ANSWERS = (
    f"ASSUMED answers of {MEAN_ANSWER_SHARE} of max_tokens, the longest of a batch {LONGEST} times as long"
)
MERGE_START_S = 2  # measured on the toy, with its smoke gate; the gate of a large model is not counted
MERGE_BYTES_PER_S = 0.5e9  # ASSUMED, read or written while the arithmetic goes on: a good disk and one CPU


@dataclass(frozen=True)
class Cost:
    """One stage's work.

    Args:
        tokens: Learnt, or generated; padding aside.
        flops: Of the model: 6 a weight and token when learning, 2 when generating, and attention.
        computed_flops: Those, and what padding and recomputed activations add.
        seconds: Of the stage.
        devices: That are busy all the while.
    """

    stage: str
    rows: int
    tokens: int
    steps: int
    flops: float
    computed_flops: float
    seconds: float
    devices: int
    assumption: str

    @property
    def device_hours(self) -> float:
        """GPU-hours, or CPU-hours."""
        return self.seconds * self.devices / 3600


def costs(build: Build, device: Device, running: set[str]) -> list[Cost]:
    """All stages that use a model, in the order of the build."""
    return [
        *_bases(build, device),
        *_traces(build, device, running),
        *(_trained(build, device, stage, running) for stage in build.training),
        _merged(build, device),
        *(_evaluated(build, device, name, running) for name in build.evaluated),
    ]


def learning_flops(shape: Shape, tokens: float, token_squares: float, is_adapted: bool) -> float:
    """Forward and backward.

    6 operations a weight and token (Kaplan et al. 2020, arXiv 2001.08361), 4 where the weights themselves have no
    gradient (LoRA); and the products of queries and keys, weights and values: a token meets those before
    it, half of all.

    Args:
        token_squares: Sum over rows of their squared length.
    """
    return (4 if is_adapted else 6) * shape.multiplied * tokens + 6 * shape.layers * shape.query * token_squares


def generating_flops(shape: Shape, tokens: float, token_squares: float) -> float:
    """Forward only."""
    return 2 * shape.multiplied * tokens + 2 * shape.layers * shape.query * token_squares


def optimiser_steps(params: TrainingParams, lengths: Lengths) -> tuple[int, float]:
    """Steps, and rows seen; packed rows fill their sequences (best-fit packing leaves a few per cent empty)."""
    rows_in_batch = float(params.batch_size)
    if params.packing:
        rows_in_batch *= params.max_length / lengths.mean
    if params.max_steps is not None:
        return params.max_steps, params.max_steps * rows_in_batch
    assert params.epochs is not None
    learnt = max(lengths.rows - params.held_out_rows, 1)
    return params.epochs * math.ceil(learnt / rows_in_batch), float(params.epochs * learnt)


def _learning(stage: str, shape: Shape, params: TrainingParams, lengths: Lengths, device: Device, setup: Setup) -> Cost:
    steps, rows = optimiser_steps(params, lengths)
    processes = setup.launch.world_size
    batches = split_batch(stage, params.batch_size, setup.sft.max_batch_size_per_device, processes)
    flops = learning_flops(shape, rows * lengths.mean, rows * lengths.mean_square, params.lora is not None)
    padding = 1.0 if params.packing else lengths.padding(batches.per_device)
    computed = flops * padding * (4 / 3 if setup.sft.gradient_checkpointing else 1)  # a second forward pass
    return Cost(
        stage=stage,
        rows=round(rows),
        tokens=round(rows * lengths.mean),
        steps=steps,
        flops=flops,
        computed_flops=computed,
        seconds=device.start_s + computed / (device.peak_flops * device.training * processes),
        devices=processes,
        assumption=lengths.origin,
    )


def _bases(build: Build, device: Device) -> Iterator[Cost]:
    alone = build.setup.model_copy(update={"launch": LaunchMachine()})
    for name, base in build.bases.items():
        shape = build.shapes[name]
        if base.scratch is not None and shape is not None:
            params = base.scratch.training
            mean = MEAN_SHARE * params.max_length
            rows = sum(base.scratch.problems.values())
            origin = f"ASSUMED problems of {MEAN_SHARE:.3f} of max_length"
            yield _learning(f"base@{name}", shape, params, Lengths(rows, mean, mean**2, origin), device, alone)


def _trained(build: Build, device: Device, stage: str, running: set[str]) -> Cost:
    params = build.training[stage]
    lengths = lengths_of(build, build.domains[stage], running, params.max_length)
    return _learning(stage, build.student, params, lengths, device, build.setup)


@dataclass(frozen=True)
class _Tokens:
    """Of answers: in all, and the sum of their squares."""

    total: float
    squares: float

    @classmethod
    def of(cls, rows: float, each: float) -> Self:
        """Answers of one length."""
        return cls(rows * each, rows * each**2)

    def __add__(self, other: Self) -> Self:
        return replace(self, total=self.total + other.total, squares=self.squares + other.squares)


@dataclass(frozen=True)
class _Answers:
    """Answers to be generated.

    Args:
        tokens: Of the answers.
        computed: Those, and what the weights are read for on, where a batch is answered to the end of its longest.
        batch: Answers under way at once.
        limit: Tokens an answer may have.
    """

    rows: int
    tokens: _Tokens
    computed: _Tokens
    batch: int
    limit: int


def _generated(stage: str, shape: Shape, answers: _Answers, device: Device, assumption: str) -> Cost:
    """Bound by arithmetic, or by reading for each token of a batch all weights, and the keys and values before it.

    A model too large for one device lies on several, whose layers take turns.
    """
    computed = generating_flops(shape, answers.tokens.total, answers.tokens.squares)
    cache = 4 * shape.layers * shape.key_value  # bytes a token, keys and values in 16 bits
    reads = answers.computed.total / max(1, min(answers.batch, answers.rows))
    read_bytes = reads * 2 * shape.parameters + answers.tokens.squares / 2 * cache
    needed = 2 * shape.parameters + answers.batch * answers.limit * cache
    return Cost(
        stage=stage,
        rows=answers.rows,
        tokens=round(answers.tokens.total),
        steps=0,
        flops=generating_flops(shape, answers.tokens.total, answers.tokens.squares),
        computed_flops=computed,
        seconds=device.start_s
        + max(computed / (device.peak_flops * device.generation), read_bytes / (device.bytes_per_s / 2)),
        devices=1 if device.name == CPU else math.ceil(needed / device.usable_bytes),
        assumption=assumption,
    )


def _traces(build: Build, device: Device, running: set[str]) -> Iterator[Cost]:
    for domain, params in build.traces.items():
        shape = None if params.teacher == SOURCES else build.shape_at(params.teacher)
        if shape is None:
            continue  # ready-made answers cost nothing; a server's cost money, which traces itself limits
        questions, origin = questions_of(build, domain, "train", running)
        rows = questions * params.samples_per_prompt
        batch, is_filled_up = _under_way(build.answering)
        tokens, computed = _assumed(rows, batch, params.max_tokens)
        said = ASSUMED_ANSWERS
        file = Path(f"data/traces/{domain}.parquet")
        if f"traces@{domain}" not in running and file.is_file():
            tokens, computed = _on_disk(file, batch)
            said = "tokens on disk"
        answers = _Answers(rows, tokens, tokens if is_filled_up else computed, batch, params.max_tokens)
        yield _generated(f"traces@{domain}", shape, answers, device, f"{origin}; {said}")


def _under_way(machine: EngineMachine) -> tuple[int, bool]:
    """Answers under way at once, and whether a new one starts as soon as one ends."""
    if machine.engine == "transformers":
        return machine.transformers.batch_size or TRANSFORMERS_BATCH, False
    return int(machine.vllm.get("max_num_seqs", VLLM_BATCH)), True


def _assumed(rows: int, batch: int, limit: int) -> tuple[_Tokens, _Tokens]:
    """Tokens, and computed ones where batches are answered to their end."""
    mean = MEAN_ANSWER_SHARE * limit
    return _Tokens.of(rows, mean), _Tokens.of(rows, mean if batch == 1 else LONGEST * mean)


def _on_disk(file: Path, batch: int) -> tuple[_Tokens, _Tokens]:
    """Tokens of a file of traces, and computed ones; batches are made of questions about as long."""
    import pyarrow.parquet as pq

    rows = pq.read_table(file, columns=["prompt_tokens", "completion_tokens"]).to_pylist()
    counts = [row["completion_tokens"] or 0 for row in sorted(rows, key=lambda row: row["prompt_tokens"] or 0)]
    tokens = sum((_Tokens.of(1, count) for count in counts), _Tokens.of(0, 0))
    batches = (counts[start : start + batch] for start in range(0, len(counts), batch))
    return tokens, sum((_Tokens.of(len(batch), max(batch)) for batch in batches), _Tokens.of(0, 0))


def _merged(build: Build, device: Device) -> Cost:
    size = (build.branches + 2) * 2 * build.student.parameters  # the student, the branches, and the model written
    seconds = MERGE_START_S + size / MERGE_BYTES_PER_S
    said = f"ASSUMED {MERGE_BYTES_PER_S / 1e9:.1f} GB read or written a second, on the CPU"
    return Cost("merge", build.branches, 0, 0, 0, 0, seconds, 0 if device.name != CPU else 1, said)


def _evaluated(build: Build, device: Device, model: str, running: set[str]) -> Cost:
    shape = build.shape_at(build.evaluated[model])
    assert shape is not None, "a served model has no folder to evaluate"
    batch, is_filled_up = _under_way(build.evaluation)
    rows, tokens, computed = 0, _Tokens.of(0, 0), _Tokens.of(0, 0)
    origins: dict[str, None] = {}
    for name, benchmark in build.evaluate.benchmarks.items():
        questions, origin = questions_of(build, name, "test", running)
        asked = questions * benchmark.samples_per_question
        its_tokens, its_computed = _assumed(asked, batch, benchmark.max_tokens)
        rows, tokens, computed = rows + asked, tokens + its_tokens, computed + its_computed
        origins[origin] = None
    limit = max(benchmark.max_tokens for benchmark in build.evaluate.benchmarks.values())
    answers = _Answers(rows, tokens, tokens if is_filled_up else computed, batch, limit)
    return _generated(f"evaluate@{model}", shape, answers, device, f"{'; '.join(origins)}; {ASSUMED_ANSWERS}")
