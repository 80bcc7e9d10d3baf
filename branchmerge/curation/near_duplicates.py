"""Prompts that nearly repeat another: MinHash digests find the candidates, Jaccard similarity decides.

Source: A. Broder, On the resemblance and containment of documents, 1997; locality-sensitive banding as in Leskovec,
Rajaraman, Ullman, Mining of Massive Datasets, chapter 3.
"""

from pathlib import Path
from typing import Any

from branchmerge.core.sql import query

_SQL = Path(__file__).parent / "sql"
SHINGLES = _SQL / "shingles.sql"
NEAR_DUPLICATES = _SQL / "near_duplicates.sql"
PERMUTATIONS, BANDS, _SEED = 128, 32, 0  # pairs at a similarity of 0.7 meet in a band with probability 0.9998


def find_near_duplicates(connection: Any, min_similarity: float | None) -> None:
    """Make the table near_duplicates (prompt_id, twin_id, similarity) from prompts, candidates and rejected."""
    import numpy as np
    import pyarrow as pa
    import rensa

    if min_similarity is None:
        connection.execute("create table near_duplicates (prompt_id varchar, twin_id varchar, similarity double)")
        return
    shingles = query(connection, SHINGLES, {}).to_arrow_table().combine_chunks()
    hashes = shingles["shingles"].combine_chunks()
    digests = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        hashes.flatten().to_numpy(), hashes.offsets.to_numpy().astype(np.uint64), PERMUTATIONS, _SEED
    )
    index = rensa.RMinHashLSH(threshold=min_similarity, num_perm=PERMUTATIONS, num_bands=BANDS)
    meets = np.array(index.query_duplicate_flags_matrix_one_shot(digests), dtype=bool)  # (prompts,)
    few = shingles.filter(pa.array(meets))
    connection.register("shingles", few)
    connection.register("bands", _bands(few, rensa))
    query(connection, NEAR_DUPLICATES, {"near_duplicate_similarity": min_similarity})


def _bands(shingles: Any, rensa: Any) -> Any:
    """(prompt_id, band, digest) of the prompts that meet another."""
    import numpy as np
    import pyarrow as pa

    hashes = shingles["shingles"].combine_chunks()
    rows = rensa.RMinHash.digest_matrix_from_token_hash_sets(hashes.to_pylist(), PERMUTATIONS, _SEED).to_rows()
    shape = (-1, BANDS, PERMUTATIONS // BANDS)  # (prompts, bands, digests of a band)
    digests = np.array(rows, dtype=np.uint32).reshape(shape)
    names = np.repeat(shingles["prompt_id"].to_numpy(), BANDS)
    return pa.table(
        {
            "prompt_id": names,
            "band": np.tile(np.arange(BANDS, dtype=np.int32), len(shingles)),
            "digest": [band.tobytes() for band in digests.reshape(-1, digests.shape[-1])],
        }
    )
