"""LiveCodeBench's tests, public and private, in the JSON that the grader of programs reads."""

import base64
import json
import pickletools
import zlib
from typing import Any

_MOST_BYTES = 1 << 30  # of one problem's tests; the largest published ones have a few hundred MB
_MARK = "livecodebench_tests:"
# what SQL makes of livecodebench_tests(public, private, metadata): the three texts, unpacked row by row after the query
MACRO = f"create macro livecodebench_tests(a, b, c) as '{_MARK}' || cast(to_json([a, b, c]) as varchar)"
_TEXTS = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"}
_HARMLESS = {"PROTO", "FRAME", "MEMOIZE", "BINPUT", "PUT", "STOP", *_TEXTS}


def unpacked(tests: str | None) -> str | None:
    """Tests of LiveCodeBench as one JSON text; any other tests as they are.

    Raises:
        ValueError: Something is missing, there are no private tests, or they cannot be read.
    """
    if tests is None or not tests.startswith(_MARK):
        return tests
    public, private, metadata = json.loads(tests.removeprefix(_MARK))
    try:
        cases = json.loads(public) + _private(private)
        inputs, outputs = [case["input"] for case in cases], [case["output"] for case in cases]
        name = json.loads(metadata).get("func_name")
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"tests without what they should have: {error}") from None
    return json.dumps(({"fn_name": name} if name else {}) | {"inputs": inputs, "outputs": outputs}, ensure_ascii=False)


def _private(text: str) -> list[dict[str, str]]:
    """The private tests: a JSON list, or one as base64 of zlib of a pickled text, as code_generation_lite has it."""
    try:
        cases: Any = json.loads(text if text.lstrip().startswith("[") else _inflated(text))
    except (ValueError, zlib.error) as error:
        raise ValueError(f"private tests that cannot be read: {error}") from None
    if not cases:
        raise ValueError("no private tests")
    return list(cases)


def _inflated(text: str) -> str:
    inflater = zlib.decompressobj()
    content = inflater.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
    if inflater.unconsumed_tail or not inflater.eof:
        raise ValueError(f"more than {_MOST_BYTES} bytes, or cut off")
    return _pickled_text(content)


def _pickled_text(content: bytes) -> str:
    """The one text of a pickle, which is read and never run: it is a stranger's."""
    operations = [(operation.name, argument) for operation, argument, _ in pickletools.genops(content)]
    texts = [argument for name, argument in operations if name in _TEXTS]
    if len(texts) != 1 or any(name not in _HARMLESS for name, _ in operations):
        raise ValueError("a pickle of something else than one text")
    return str(texts[0])
