"""The program of an answer is found however it is fenced, and whatever stands behind it."""

import time

import pytest

from branchmerge.grading.fences import programs
from branchmerge.programs.blocks import choose

READS = "n = int(input())\nprint(n)"
DEFINES = "def f(x):\n    return x"
TICKS = "```"


def found(answer: str, asked: list[str] | None = None) -> str:
    return choose(programs(answer), asked)


def fenced(program: str, info: str = "python") -> str:
    return f"{TICKS}{info}\n{program}\n{TICKS}\n"


INDENTED = READS.replace("\n", "\n    ")
FENCES = {
    "plain": f"Here:\n\n{fenced(READS)}\nDone.",
    "not fenced": READS,
    "no language": fenced(READS, ""),
    "carriage returns": fenced(READS).replace("\n", "\r\n"),
    "old line ends": fenced(READS).replace("\n", "\r"),
    "a space before the language": fenced(READS, " python"),
    "a title": fenced(READS, 'python title="a.py"'),
    "attributes": fenced(READS, "{.python .numbered}"),
    "a capital": fenced(READS, "Python3"),
    "a file name": fenced(READS, "main.py"),
    "another language's name": fenced(READS, "text"),
    "tildes": f"~~~python\n{READS}\n~~~",
    "four ticks": f"{TICKS}`python\n{READS}\n{TICKS}`",
    "no end": f"{TICKS}python\n{READS}",
    "tildes without end": f"~~~python\n{READS}",
    "tildes without end or language": f"\n~~~\n{READS}",
    "tildes without end in a tag": f"<answer>~~~python\n{READS}</answer>",
    "an end alone": f"{READS}\n{TICKS}",
    "an end alone and words behind": f"{READS}\n{TICKS}\n\nIt prints n:\n{fenced('3', '')}",
    "an end of another length": f"{TICKS}python\n{READS}\n{TICKS}`",
    "an end behind a line": f"{TICKS}python\n{READS}{TICKS} and that is all",
    "an end with a token behind": f"{TICKS}python\n{READS}\n{TICKS}<|im_end|>",
    "no end but a token": f"{TICKS}python\n{READS}\n<|im_end|>",
    "no fence but a token": f"{READS}</s>",
    "a beginning behind words": f"Here it is: {TICKS}python\n{READS}\n{TICKS}",
    "a list's item": f"1. So:\n\n   {TICKS}python\n   {INDENTED[:-4].replace('    ', '   ')}t(n)\n   {TICKS}",
    "an item's own line": f"- {TICKS}python\n  n = int(input())\n  print(n)\n  {TICKS}",
    "an item that it leaves": f"1. So:\n   {TICKS}python\n{READS}\n   {TICKS}",
    "four spaces": f"So:\n\n    {TICKS}python\n    {INDENTED}\n    {TICKS}",
    "indented inside": f"{TICKS}python\n    {INDENTED}\n{TICKS}",
    "a quotation": f"> {TICKS}python\n> n = int(input())\n> print(n)\n> {TICKS}",
    "a mark of byte order": f"\ufeff{TICKS}python\n\ufeff{READS}\n{TICKS}",
    "a tag": f"<answer>\n{fenced(READS)}</answer>",
    "a tag on the line": f"<answer>{fenced(READS)}</answer>",
    "a tag without fence": f"{fenced('draft = 1')}<answer>{READS}</answer>",
    "a tag that has no program": f"{fenced(READS)}<answer>see above</answer>",
    "a tag without end": f"<answer>\n{fenced(READS)}",
}


@pytest.mark.parametrize("answer", FENCES.values(), ids=FENCES)
def test_a_program_is_found_in_any_fence(answer: str):
    assert found(answer) == READS


BEHIND = {
    "output": fenced("6", ""),
    "output, said to be text": fenced("print(6)", "text"),
    "a word": fenced("YES", ""),
    "a list": fenced("[1, 2]", ""),
    "a shell": fenced("python a.py < in.txt", "bash"),
    "a session": fenced(">>> f(1)\n1", "pycon"),
    "complexity": fenced("O(n)", ""),
    "another language": fenced("int main() {}", "cpp"),
    "an empty block": fenced("", ""),
    "a fragment": fenced("print(n)", "python"),
    "a fragment that reads": fenced("m = n + int(input())\nprint(m)", "python"),
    "a fragment in a function": fenced("def main():\n    print(n, input())\nmain()", "python"),
}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_what_stands_behind_a_program_is_not_taken_for_it(behind: str):
    assert found(f"{fenced(READS)}Output:\n\n{behind}") == READS


@pytest.mark.parametrize("behind", [fenced("print(f(2))"), fenced("result = f(2)"), fenced("assert f(2) == 2", "")])
def test_an_example_call_is_not_taken_for_the_function(behind: str):
    assert found(f"{fenced(DEFINES)}Use it so:\n{behind}", ["f"]) == DEFINES


@pytest.mark.parametrize("asked", [None, ["a"]])
def test_of_two_programs_the_last_is_taken(asked: list[str] | None):
    first, last = "a = input()\nprint(1)", "a = input()\nprint(2)"

    assert found(f"{fenced(first)}Better:\n{fenced(last)}", asked) == last


def test_a_block_that_defines_more_of_what_is_asked_goes_before_a_later_one():
    both = "def f(x): return x\ndef g(x): return f(x)"

    assert found(fenced(both) + fenced(DEFINES), ["f", "g"]) == both


INSIDE = {
    "in a line": 'def f():\n    """use ``` here"""\n    return 2\nprint(f())',
    "on lines of their own": f'"""\nExample:\n{fenced("f(1)", "")}"""\ndef f(x): return x\nprint(f(1))',
    "with a language": f'"""\n{fenced("print(1)")}"""\ndef f(x): return x\nprint(f(2))',
    "indented": f'def f(x):\n    """So:\n\n    {TICKS}\n    f(1)\n    {TICKS}\n    """\n    return x\nprint(f(1))',
    "a tag": 'print("<answer>42</answer>")',
    "tildes": f'text = """\n~~~\n{TICKS}\n"""\nprint(text)',
}


@pytest.mark.parametrize("program", INSIDE.values(), ids=INSIDE)
def test_fences_within_a_program_do_not_end_it(program: str):
    assert found(f"Here:\n{fenced(program)}Done.") == program
    assert found(f"{program}\n{TICKS}\nDone.") == program


def test_of_an_answer_without_python_the_error_is_that_of_its_last_block():
    assert found(f"So:\n{fenced('def f(x) return x')}Done.", ["f"]) == "def f(x) return x"


@pytest.mark.parametrize("answer", ["", " \n"])
def test_nothing_is_found_in_nothing(answer: str):
    assert programs(answer) == []


LOOPS = {
    "fences": f"{TICKS}\n",
    "ticks": "`",
    "programs without end": f"{TICKS}python\n(",
    "quotations": "> ",
    "fences in lines": f"~~~ {TICKS} ",
    "tags": "<answer>",
    "lines": f"{TICKS}\nSo it is.\n",
    "lists": "1. a\n   ",
    "fences ever longer": "".join("`" * length + "\nx\n" for length in range(3, 640)),
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_an_answer_that_repeats_itself_takes_no_time(loop: str):
    answer = fenced(READS) + loop * (200_000 // len(loop) + 1)
    start = time.process_time()
    texts = programs(answer)

    assert time.process_time() - start < 1
    assert sum(len(source) for text in texts for block in text for source, _ in block["readings"]) < 10_000_000


@pytest.mark.parametrize("loop", [f"{TICKS}\n", fenced("x"), f"So {TICKS}it{TICKS} is.\n"])
def test_the_program_before_and_after_thousands_of_fences_is_found(loop: str):
    assert found(fenced(READS) + loop * 5000) == READS
    assert found(loop * 5000 + fenced(READS)) == READS
