"""What each stage that uses a model computes: rows, tokens, steps, floating point operations and seconds."""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from branchmerge.plan.build import Build
from branchmerge.plan.devices import CPU, Device
from branchmerge.plan.lengths import MEAN_ANSWER_SHARE, MEAN_SHARE, Lengths, lengths_of, questions_of
from branchmerge.plan.shapes import Shape
from stages.shared.training.batches import split_batch
from stages.shared.training.hyperparameters import TrainingParams
from stages.traces import SOURCES

VLLM_BATCH = 64  # ASSUMED rows that vLLM has under way
ASSUMED_ANSWERS = f"ASSUMED answers of {MEAN_ANSWER_SHARE} of max_tokens, their lengths falling off exponentially"
MERGE_START_S = 2  # measured on the toy, with its smoke gate
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


def _learning(
    stage: str, shape: Shape, params: TrainingParams, lengths: Lengths, device: Device, processes: int
) -> Cost:
    steps, rows = optimiser_steps(params, lengths)
    batches = split_batch(stage, params.batch_size, params.max_batch_size_per_device, processes)
    flops = learning_flops(shape, rows * lengths.mean, rows * lengths.mean_square, params.lora is not None)
    padding = 1.0 if params.packing else lengths.padding(batches.per_device)
    computed = flops * padding * (4 / 3 if params.gradient_checkpointing else 1)  # a second forward pass
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
    for name, base in build.bases.items():
        shape = build.shapes[name]
        if base.scratch is not None and shape is not None:
            params = base.scratch.training
            mean = MEAN_SHARE * params.max_length
            rows = sum(base.scratch.problems.values())
            origin = f"ASSUMED problems of {MEAN_SHARE:.3f} of max_length"
            yield _learning(f"base@{name}", shape, params, Lengths(rows, mean, mean**2, origin), device, 1)


def _trained(build: Build, device: Device, stage: str, running: set[str]) -> Cost:
    params = build.training[stage]
    lengths = lengths_of(build, build.domains[stage], running, params.max_length)
    return _learning(stage, build.student, params, lengths, device, build.launch.world_size)


@dataclass(frozen=True)
class _Answers:
    """Answers to be generated.

    Args:
        mean: Tokens an answer.
        steps: Tokens a batch goes on for: its longest answer's where a batch is answered to its end, else the mean.
        limit: Tokens an answer may have.
    """

    rows: int
    mean: float
    steps: float
    limit: int


def _generated(stage: str, shape: Shape, answers: _Answers, batch: int, device: Device, assumption: str) -> Cost:
    """Answers, a batch at a time: bound by arithmetic, or by reading all weights for each token of a batch.

    A model too large for one device lies on several, whose layers take turns.
    """
    rows, mean, steps = answers.rows, answers.mean, answers.steps
    computed = generating_flops(shape, rows * steps, rows * steps**2)
    reading_s = 0.0
    if device.bytes_per_s:
        reading_s = rows * steps / min(batch, rows) * 2 * shape.parameters / (device.bytes_per_s / 2)
    cached = batch * answers.limit * 4 * shape.layers * shape.key_value  # keys and values in 16 bits
    devices = 1 if device.name == CPU else math.ceil((2 * shape.parameters + cached) / device.usable_bytes)
    return Cost(
        stage=stage,
        rows=rows,
        tokens=round(rows * mean),
        steps=0,
        flops=generating_flops(shape, rows * mean, rows * mean**2),
        computed_flops=computed,
        seconds=device.start_s + max(computed / (device.peak_flops * device.generation), reading_s),
        devices=devices,
        assumption=assumption,
    )


def _traces(build: Build, device: Device, running: set[str]) -> Iterator[Cost]:
    for domain, params in build.traces.items():
        shape = None if params.teacher == SOURCES else build.shape_at(params.teacher)
        if shape is None:
            continue  # ready-made answers cost nothing; a server's cost money, which traces itself limits
        questions, origin = questions_of(build, domain, "train", running)
        static = params.transformers if params.engine == "transformers" else None  # others fill a batch as answers end
        batch = static.batch_size if static else VLLM_BATCH
        file = Path(f"data/traces/{domain}.parquet")
        if f"traces@{domain}" not in running and file.is_file():
            mean, steps = _tokens(file, batch)
            said = "tokens on disk"
        else:
            mean = MEAN_ANSWER_SHARE * params.max_tokens
            steps, said = _longest(mean, batch, params.max_tokens), ASSUMED_ANSWERS
        rows = questions * params.samples_per_prompt
        answers = _Answers(rows, mean, steps if static else mean, params.max_tokens)
        yield _generated(f"traces@{domain}", shape, answers, batch, device, f"{origin}; {said}")


def _longest(mean: float, batch: int, limit: int) -> float:
    """The expected longest of a batch of answers whose lengths fall off exponentially, up to the limit."""
    return min(limit, mean * sum(1 / rank for rank in range(1, batch + 1)))


def _tokens(file: Path, batch: int) -> tuple[float, float]:
    """The mean of all answers, and of the longest ones of batches."""
    import pyarrow.parquet as pq

    tokens = pq.read_table(file, columns=["completion_tokens"])["completion_tokens"].to_pylist()
    longest = [max(tokens[start : start + batch]) for start in range(0, len(tokens), batch)]
    return statistics.mean(tokens), statistics.mean(longest)


def _merged(build: Build, device: Device) -> Cost:
    size = (build.branches + 2) * 2 * build.student.parameters  # the student, the branches, and the model written
    seconds = MERGE_START_S + size / MERGE_BYTES_PER_S
    said = f"ASSUMED {MERGE_BYTES_PER_S / 1e9:.1f} GB read or written a second, on the CPU"
    return Cost("merge", build.branches, 0, 0, 0, 0, seconds, 0 if device.name != CPU else 1, said)


def _evaluated(build: Build, device: Device, model: str, running: set[str]) -> Cost:
    shape = build.shape_at(build.evaluated[model])
    assert shape is not None, "a served model has no folder to evaluate"
    batch = build.evaluate.batch_size
    rows, tokens, steps = 0, 0.0, 0.0
    origins: dict[str, None] = {}
    for name, benchmark in build.evaluate.benchmarks.items():
        questions, origin = questions_of(build, name, "test", running)
        asked = questions * benchmark.samples_per_question
        rows += asked
        tokens += asked * MEAN_ANSWER_SHARE * benchmark.max_tokens
        steps += asked * _longest(MEAN_ANSWER_SHARE * benchmark.max_tokens, batch, benchmark.max_tokens)
        origins[origin] = None
    said = f"{'; '.join(origins)}; {ASSUMED_ANSWERS}"
    limit = max(benchmark.max_tokens for benchmark in build.evaluate.benchmarks.values())
    answers = _Answers(rows, tokens / max(rows, 1), steps / max(rows, 1), limit)
    return _generated(f"evaluate@{model}", shape, answers, batch, device, said)
