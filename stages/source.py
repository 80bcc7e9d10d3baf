"""One source of questions, as everything below wants it: from a generator, a file, a bucket or a data set of a hub.

A source may carry ready-made answers too, several a question. Its rows keep the split of their question,
which follows from a hash of its text: no question can be both learnt and held out, in whatever source. A source may
instead be all for learning or all a benchmark; a question in two such sources is found by curate.

Reads   source.<name>.path
Writes  data/sources/<name>.parquet
Params  run, source.<name>
Run     python -m stages.source --name openr1
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from branchmerge.core.command import Name, run
from branchmerge.core.errors import StageError
from branchmerge.core.files import Row, content_id, write_sorted_rows
from branchmerge.core.machine import RunMachine, read_machine
from branchmerge.core.params import RunParams, read_params
from branchmerge.core.records import SOURCE
from branchmerge.sources.params import SourceParams
from branchmerge.sources.pins import described
from branchmerge.sources.problems import Split
from branchmerge.sources.reading import draw, read


def main(name: Name) -> None:
    """Write the rows of one source."""
    seed, threads = read_params(RunParams).seed, read_machine(RunMachine).threads
    params = described(read_params(SourceParams, name=name), name)
    counts: dict[Split, set[str]] = {split: set() for split in params.wanted}

    def counted(rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            counts[row["split"]].add(content_id(row["question"]))
            yield row | {"source": name, "licence": params.licence}
        if any(rows and not counts[split] for split, rows in params.wanted.items()):
            raise StageError(
                where=f"source.{name}",
                expected="questions in " + " and ".join(split for split, rows in params.wanted.items() if rows),
                got=", ".join(f"{len(found)} {split}" for split, found in counts.items())
                + f" questions from {params.path}",
                do="widen where, or name a larger source",
            )

    with tempfile.TemporaryDirectory() as folder:
        rows = draw(params, seed) if params.columns is None else read(params, threads, Path(folder))
        write_sorted_rows(Path(f"data/sources/{name}.parquet"), SOURCE, counted(rows))


if __name__ == "__main__":
    run(main)
