"""The answer that a sentence announces in words, or that a closing sentence or line gives."""

import re
from collections.abc import Iterator

from branchmerge.grading import quantity
from branchmerge.grading.notation import without_environments

_FILLED = r"[ \t*_\"'“”`)]{0,12}"  # bounded: a text may hold any number of spaces
_VERB = (
    r"(?:is|are|was|were|=|:|：|would\s+be|will\s+be|should\s+be|must\s+be|may\s+be|equals|becomes|comes\s+(?:out\s+)?to"
    r"|est|es|ist|lautet|être)"
)
# "the answer is", "the final answer to the question is:", "Answer:", "A: ", "####", in some languages
_CUE = re.compile(
    rf"(?<![\w])(?:answers?|réponse|respuesta|risposta|antwort|ответ|lösung){_FILLED}"
    rf"(?:(?:\([^()\n]{{1,30}}\)|(?:to|for|of|in|here|then|choice|option)\b[^.\n:=]{{0,60}}?)\s*)?{_FILLED}"
    rf"(?:{_VERB}(?![A-Za-zÀ-ÿ]){_FILLED}[:：]?)"
    rf"|\b(?:final|correct)\s+answer{_FILLED}(?=[-+$\\\d(])"
    r"|(?:^|(?<=\n))[ \t>#*_-]*(?:(?:final|correct)\s+)?answers?[ \t*_:#]*(?=\n|\$|\\[\[(]|$)"
    r"|(?:^|(?<=\n))[ \t>*_]*(?:A|Ans|ANS)[ \t*_]*[:：.]"
    r"|####+"
    r"|(?:答案|答)(?:应为|应该是|就是|为|是|[:：])+[:：]?",
    re.IGNORECASE,
)
_FILLERS = re.compile(
    r"^(?:(?:therefore|thus|hence|so|indeed|then|certainly|definitely|clearly|simply|just|surely|for sure|most likely"
    r"|approximately|about|exactly|equal to|given by|option|choice|now|obviously|also|probably)\b[\s,:]*)+",
    re.IGNORECASE,
)
_DENIED = re.compile(r"(?:\b(?:not|never|neither|unlike|unknown|less|more|between)\b|n't\b|不)", re.IGNORECASE)
_REMARK = re.compile(
    r"\s*[,;(—–]?\s*\b(?:because|since|as|which|where|so|given|but|not|it|and\s+(?:we|it|this|not)|non|i\s+hope)\b"
    r"|\s*(?:，|。|因为|而不是|不是)|!(?=\s)",
    re.IGNORECASE,
)
_MATH = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9.\\^_{/])(?:[-+−]|[$€£¥]\s?-?)?\d[\d,]*(?:\.\d+)?(?:\s?/\s?\d+)?"
    r"(?:\s?(?:%|°|元))?(?![A-Za-z0-9^_{/]|\.\d)"
)
_LAST_VERB = re.compile(
    r"(?:\b(?:is|are|equals?|be|being|est|es|ist)\b|(?<![<>!=])=(?!=)|为|是)\s*(?!.*(?:\b(?:is|are|equals?)\b|=))",
    re.DOTALL,
)
_CONCLUSION = re.compile(
    r"^[\s*_#>]*(?:so\s+)?(?:therefore|thus|hence|consequently|in conclusion|finally"
    r"|we (?:find|get|have|obtain|conclude)|so we get"
    r"|the (?:(?:final|total|correct|simplified|required|desired|numeric(?:al)?)\s+)?"
    r"(?:result|solution|sum|value|number|total|product|difference|distance|area|expression|probability|answer|matrix)"
    r"|donc|ainsi|因此|所以|故|por lo tanto|daher|also ist)\b|^\s*(?:因此|所以|故)",
    re.IGNORECASE,
)
_MAX_CUES = 20  # of the last ones, from the end
_MAX_PHRASE = 2000  # characters; a longer one is a text, and no answer
_PLAIN = re.compile(r"[^A-Za-z\u4e00-\u9fff]*(?:[A-Za-z]{1,2}|\\[A-Za-z]+|[^A-Za-z\u4e00-\u9fff])*")


def announced(text: str) -> tuple[int, tuple[str, ...]] | None:
    """Where the last announcement of an answer ends, and the readings of what it announces, the plainest first.

    None where there is none. Only announcements that something follows count.
    """
    cues = [found.end() for found in _CUE.finditer(text)]
    for end in reversed(cues[-_MAX_CUES:]):
        phrase, line = _sentence(text, end)
        if found := tuple(_unique(_readings(phrase, line))):
            return end, found
    return None


def closing(text: str) -> tuple[str, ...]:
    """The readings of a text that announces nothing: its last line, where it is mathematics, or what it concludes."""
    text = without_environments(text[-_MAX_PHRASE:])
    lines = [line for line in text.splitlines() if line.strip(" *_#$")]
    if not lines:
        return ()
    last = _display(text) or lines[-1]
    bare = last.strip().strip("#").strip().strip("*").strip()
    if is_mathematics(bare):
        return (bare,)
    if chain := re.search(r"(?<![<>!=])=\s*([-+]?[$€£]?\d[\d,.]*\S{0,8}?)[\s.]*$", bare):
        return (chain[1],)
    if (formula := re.search(r":\s*(\$[^$]+\$|\\\(.+\\\))\s*\.?$", bare)) and len(_MATH.findall(bare)) == 1:
        return (formula[1],)
    sentence = _last_sentence(bare)
    return tuple(_unique(_core(sentence))) if _CONCLUSION.match(sentence) or _BOLD.search(sentence) else ()


def is_mathematics(phrase: str) -> bool:
    """Whether a phrase holds no word of three letters and more beside its formulas."""
    rest = _MATH.sub(" ", phrase)
    rest = re.sub(r"\\[A-Za-z]+|\\text\w*\{[^{}]*\}", " ", rest)
    return bool(phrase.strip()) and not re.search(r"[^\W\d_]{3,}|\b(?:is|of|it|we|so|to|or|if|no)\b", rest)


def _display(text: str) -> str | None:
    r"""A formula set apart, \[...\] or $$...$$, that ends a text."""
    found = re.search(
        r"(?:\\\[|\$\$)((?:(?!\\\[|\\\]|\$\$).){1,2000}?)(?:\\\]|\$\$)[\s.]*$", text[-_MAX_PHRASE:], re.DOTALL
    )
    return found[1].strip() if found else None


def _sentence(text: str, start: int) -> tuple[str, str]:
    """What follows a cue up to the end of its sentence, and up to the end of its line; a formula is not cut."""
    while start < len(text) and text[start] in " \t\r\n*_:：\"'`#>-" and not text.startswith(("**", "```"), start + 1):
        if text[start] == "-" and text[start + 1 : start + 2] not in (" ", "-"):
            break
        start += 1
    chunk = text[start : start + _MAX_PHRASE]
    formulas = [found.span() for found in _MATH.finditer(chunk)]

    def is_free(place: int) -> bool:
        return not any(low <= place < high for low, high in formulas)

    lines = (found.start() for found in re.finditer(r"\n", chunk))
    line_end = next((place for place in lines if is_free(place)), len(chunk))
    stops = (found.start() for found in re.finditer(r"[.!?](?=\s|$|[*_\"')])|。", chunk[:line_end]))
    end = next((place for place in stops if is_free(place) and place), line_end)
    return chunk[:end], chunk[:line_end]


def _readings(phrase: str, line: str) -> Iterator[str]:
    bare = _FILLERS.sub("", _stripped(phrase))
    if not bare or _DENIED.match(bare):
        return
    yield bare
    cut = _REMARK.split(bare, maxsplit=1)[0].strip(" ,;")
    if cut and cut != bare:
        yield cut
    yield from _core(cut or bare)
    if _stripped(line) != bare:
        yield _stripped(line)


def _core(phrase: str) -> Iterator[str]:
    """What a phrase comes to: behind its last verb, else its one formula, bold word or number."""
    if is_mathematics(phrase):
        return
    rest = _FILLERS.sub("", phrase.strip())
    if rest != phrase.strip() and is_mathematics(rest):
        yield _stripped(rest)
        return
    if (verb := _LAST_VERB.search(phrase)) and (rest := _stripped(phrase[verb.end() :])):
        rest = _FILLERS.sub("", rest)
        found = _leading(rest)
        if found:
            yield found
            return
    bold = _BOLD.findall(phrase)
    if len(bold) == 1:
        yield bold[0].strip()
        return
    if _DENIED.search(phrase):
        return
    formulas = [next(filter(None, groups)) for groups in _MATH.findall(phrase)]
    numbers = _NUMBER.findall(_MATH.sub(" ", phrase))
    if len(formulas) == 1 and not numbers:
        yield formulas[0].strip()
    elif len(numbers) == 1 and all(re.fullmatch(r"[A-Za-z]", formula.strip()) for formula in formulas):
        yield numbers[0].strip()


def _leading(rest: str) -> str | None:
    """The formula or number that a phrase begins with, as it stands there."""
    if is_mathematics(rest) or (quantity.parse(rest) and len(_NUMBER.findall(rest)) == 1):
        return rest
    if found := _MATH.match(rest):
        return found[0]
    if (found := _NUMBER.match(rest)) and len(_NUMBER.findall(rest)) >= 1:
        return found[0].strip()
    if rest.startswith("(") and (inner := re.match(r"\(([^()]*)\)", rest)) and is_mathematics(inner[1]):
        return inner[1]
    return None


def _last_sentence(line: str) -> str:
    parts = [part for part in re.split(r"(?<=[.!?])\s+(?=\S)|(?<=。)", line) if part.strip()]
    return parts[-1].strip() if parts else line


def _stripped(phrase: str) -> str:
    bare = phrase.strip().strip("*_").strip()
    return bare.removesuffix(".").strip().strip("*_").strip()


def _unique(readings: Iterator[str]) -> Iterator[str]:
    seen: set[str] = set()
    for reading in readings:
        if reading and reading not in seen:
            seen.add(reading)
            yield reading
