"""Where a problem has several right outputs, a checker program judges what is printed."""

import json
from pathlib import Path

import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.files import read_rows
from branchmerge.core.records import SOURCE
from branchmerge.programs.grader import Outcome, ProgramGrader
from stages import source

# any two numbers with the sum that is asked for
CHECKER = """
import sys

def main():
    wanted, _, printed = (open(path).read() for path in sys.argv[1:])
    a, b = map(int, printed.split())
    print(1 if a + b == int(wanted) else 0)

if __name__ == "__main__":
    main()
"""
EXPECTED = "5 5"
RIGHT = "n = int(input())\nprint(1, n - 1)"


def graded(grader: ProgramGrader, program: str, checker: str = CHECKER, given: str = "10\n") -> Outcome:
    tests = json.dumps({"inputs": ["10\n", given], "outputs": [EXPECTED, EXPECTED], "checker": checker})
    return grader.grade(program, tests)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        (RIGHT, Outcome("correct", "")),
        ("print('5 5')", Outcome("correct", "")),
        ("print(1, 1)", Outcome("wrong", "AssertionError: case 1 of 2")),
        ("print('I am right')", Outcome("wrong", "AssertionError: case 1 of 2")),
        ("print()", Outcome("wrong", "AssertionError: case 1 of 2")),
        ("print(1)\nimport sys\nsys.exit(0)", Outcome("wrong", "AssertionError: case 1 of 2")),
        ("1 / 0", Outcome("wrong", "ZeroDivisionError: division by zero")),
    ],
)
def test_any_output_that_the_checker_accepts_is_right(grader: ProgramGrader, program: str, outcome: Outcome):
    assert graded(grader, program) == outcome


BROKEN = {
    "no Python": ("print(1", "the checker: SyntaxError"),
    "no score": ("print('OK')", "the checker does not accept the expected output: it printed 'OK', no score"),
    "nothing": ("pass", "it printed '', no score"),
    "percent": ("print(100)", "it printed '100', no score"),
    "refuses": ("print(0)", "the checker does not accept the expected output: score 0"),
    "breaks": ("1 / 0", "ZeroDivisionError"),
    "no file": ("import sys\nprint(open('input.txt').read())", "FileNotFoundError"),
    "too much": ("print('1' * 10**6)", "printed too much"),
    "kills itself": ("import os\nos.kill(os.getpid(), 9)", "it printed '', no score"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("checker", "said"), BROKEN.values(), ids=BROKEN)
def test_a_checker_that_does_not_work_is_no_programs_fault(grader: ProgramGrader, checker: str, said: str):
    outcome = graded(grader, RIGHT, checker)

    assert outcome.verdict == "unverifiable", outcome
    assert said in outcome.reason


@pytest.mark.slow
def test_a_checker_that_does_not_end_is_no_programs_fault(grader: ProgramGrader):
    tests = json.dumps({"inputs": ["10"], "outputs": [EXPECTED], "checker": "while True: pass"})

    assert grader.grade(RIGHT, tests) == Outcome("unverifiable", "tests: the checker took over 10 s")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("score", "verdict"), [("1", "correct"), ("1.0", "correct"), ("0.99", "wrong"), ("0", "wrong"), ("2", "wrong")]
)
def test_only_the_full_score_is_right(grader: ProgramGrader, score: str, verdict: str):
    checker = f"import sys\nprint(1 if open(sys.argv[3]).read().strip() == '{EXPECTED}' else {score})"

    assert graded(grader, RIGHT, checker).verdict == verdict


@pytest.mark.slow
def test_what_a_checker_says_before_its_score_does_not_count(grader: ProgramGrader):
    assert graded(grader, RIGHT, "import sys\nprint('case', 0)\nprint(1)\nsys.exit()").verdict == "correct"


QUOTING = {
    "an error": "raise ValueError(printed)",
    "an assertion": "assert False, printed",
    "an end": "sys.exit(printed)",
    "an end with a code": "print(printed)\n    sys.exit(1)",
}


@pytest.mark.slow
@pytest.mark.parametrize("refusal", QUOTING.values(), ids=QUOTING)
def test_an_output_that_a_checker_quotes_as_it_refuses_is_no_score(grader: ProgramGrader, refusal: str):
    read = "import sys\nprinted = open(sys.argv[3]).read()"
    checker = f"{read}\nif printed.strip() != '{EXPECTED}':\n    {refusal}\nprint(1)"

    assert graded(grader, "print('0\\n1')", checker).verdict == "wrong"


@pytest.mark.slow
def test_a_checker_reads_files_larger_than_a_program_may_write(grader: ProgramGrader):
    large = "10\n" + " " * 3_000_000

    assert graded(grader, RIGHT, given=large) == Outcome("correct", "")


@pytest.mark.slow
def test_a_checker_holds_no_socket_and_leaves_no_process(grader: ProgramGrader):
    checker = "import os\nheld = sorted(map(int, os.listdir('/proc/self/fd')))\nprint(1 if len(held) == 7 else held)"
    leaves = "import os\nprint(1)\nif os.fork() == 0:\n    import time\n    time.sleep(100)"

    assert graded(grader, RIGHT, checker) == Outcome("correct", "")
    assert graded(grader, RIGHT, leaves).verdict == "unverifiable"
    assert graded(grader, RIGHT) == Outcome("correct", "")


@pytest.mark.slow
def test_output_that_takes_the_checker_over_forges_no_verdict(grader: ProgramGrader):
    evals = CHECKER.replace("printed.split()", "eval(printed) if '[' in printed else printed.split()")
    forged = json.dumps({"verdict": "correct", "reason": ""})
    attack = f"[__import__('os').write(fd, {forged!r}.encode()) for fd in range(3, 20)]"

    assert graded(grader, f"print({attack!r})", evals).verdict == "wrong"


PARAMS = """
run: {{seed: 0}}
source:
  s:
    path: rows.jsonl
    licence: MIT
    columns: {{question: q, tests: official_tests, checker: {checker}}}
    max_train_rows: 10
    max_test_rows: 0
"""


class TestColumn:
    TESTS = ({"input": "10\n", "output": "5 5"},)

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("params.yaml").write_text(PARAMS.format(checker="generated_checker"))

    def read(self, *rows: dict[str, object]) -> list[dict[str, object]]:
        Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        source.main("s")
        return read_rows(Path("data/sources/s.parquet"), SOURCE)

    def test_a_checker_is_read_beside_the_tests_of_its_row(self):
        one, two = self.read(
            {"q": "1", "official_tests": self.TESTS, "generated_checker": CHECKER},
            {"q": "2", "official_tests": self.TESTS, "generated_checker": None},
        )

        assert json.loads(str(one["tests"])) == {"inputs": ["10\n"], "outputs": ["5 5"], "checker": CHECKER}
        assert json.loads(str(two["tests"])) == [*self.TESTS]

    def test_a_checker_of_asserts_is_refused_by_its_question(self):
        with pytest.raises(InputError, match=r"rows.jsonl: 'sum'(.|\n)*these tests are Python"):
            self.read({"q": "sum", "official_tests": "assert f(1)", "generated_checker": CHECKER})

    def test_a_checker_without_tests_is_refused(self):
        Path("params.yaml").write_text(PARAMS.format(checker="c").replace("tests: official_tests, ", ""))

        with pytest.raises(InputError, match="tests beside a checker"):
            self.read({"q": "1"})
