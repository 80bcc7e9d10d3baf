"""LiveCodeBench's tests, public and private, in the JSON that the grader of programs reads."""

import base64
import io
import json
import pickle
import zlib
from typing import Any

_MOST_BYTES = 1 << 30  # of one problem's tests; the largest published ones have a few hundred MB


class _TextUnpickler(pickle.Unpickler):
    """Reads a pickled text and nothing that could run: a pickle of a data set is a stranger's."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} where a text should be")


def livecodebench_tests(public: str, private: str, metadata: str) -> str:
    """All tests of a problem as one JSON text.

    Args:
        public: JSON list of input, output and testtype.
        private: The same, or that list as base64 of zlib of a pickled JSON text, as code_generation_lite has it.
        metadata: JSON; its func_name is the function that the inputs are given to, absent for programs that read stdin.

    Raises:
        ValueError: Private tests that are none, or that cannot be read.
    """
    cases = json.loads(public) + _private(private)
    tests = {"inputs": [case["input"] for case in cases], "outputs": [case["output"] for case in cases]}
    name = json.loads(metadata).get("func_name")
    return json.dumps({"fn_name": name} | tests if name else tests, ensure_ascii=False)


def _private(text: str) -> list[dict[str, str]]:
    try:
        cases = json.loads(text if text.lstrip().startswith("[") else _unpacked(text))
    except (ValueError, zlib.error, pickle.UnpicklingError, EOFError, IndexError) as error:
        raise ValueError(f"private tests that cannot be read: {error}") from None
    if not cases:
        raise ValueError("no private tests")
    return list(cases)


def _unpacked(text: str) -> str:
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise ValueError(f"more than {_MOST_BYTES} bytes, or cut off")
    found = _TextUnpickler(io.BytesIO(content)).load()
    if not isinstance(found, str):
        raise pickle.UnpicklingError(f"{type(found).__name__} where a text should be")
    return found
