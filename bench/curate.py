"""The stage curate against the same rules as open-r1 writes them: `datasets` map and filter, 8-gram decontamination.

Both read the same generated files, of the size of OpenR1-Math-220k: 225,000 prompts with two traces each, some 18 kB a
trace. Ours also runs on a quarter of them, to see how time grows; its peak memory is that of its process.

Run   make bench NAME=curate            (an hour; PROMPTS=20000 for a smaller one)
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

from bench.result import TINY, print_result, seconds
from bench.traces_like_openr1 import BENCHMARKS, RULES, write_domain
from branchmerge.core.files import write_json
from branchmerge.core.machine import NAME, VARIABLE
from branchmerge.core.params import PARAMS
from branchmerge.sources.domains import DOMAINS

PROMPTS = int(os.environ.get("PROMPTS", "225000"))
_OURS = """
import resource, sys
from stages.curate import main
main(sys.argv[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def main(tiny: bool = TINY) -> None:
    """Print seconds and peak memory of ours at a quarter and at the whole, then of the peer at the whole.

    Where it is tiny, of ours alone.
    """
    project, count = Path.cwd(), 80 if tiny else PROMPTS
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("stages").symlink_to(project / "stages")
        domains = {"quarter": count // 4, "whole": count}
        for domain, n_prompts in domains.items():
            write_domain(domain, n_prompts)
        _write_settings([*domains, *BENCHMARKS])
        times_s = {domain: _ours(domain, project) for domain in domains}
        growth = times_s["whole"] / times_s["quarter"]
        print(f"4 times the rows take {growth:.2f} times as long")
        if tiny:
            return
        peer_s = seconds(_peer, "whole", project)
        print(f"open-r1's way on {2 * count} traces: {peer_s:.1f} s")
    print_result("curate", times_s["whole"], peer_s, "datasets map/filter")


def _write_settings(domains: list[str]) -> None:
    """What curate reads besides rows; two threads, as the peer has two processes."""
    sections = {"run": {"seed": 0}, "curate": RULES, "domains": {name: {"curate": {}} for name in domains}}
    PARAMS.write_text(json.dumps(sections))  # YAML, too
    Path(NAME).write_text(json.dumps({"run": {"threads": 2}}))
    write_json(DOMAINS, domains)


def _ours(domain: str, project: Path) -> float:
    said: list[str] = []
    wall_s = seconds(lambda: said.extend(_run([sys.executable, "-c", _OURS, domain], project)))
    print(f"ours, {said[-2]}: {wall_s:.1f} s, {float(said[-1]):.0f} MiB at most")
    return wall_s


def _peer(domain: str, project: Path) -> None:
    print("\n".join(_run([sys.executable, "-m", "bench.curate_as_open_r1", domain], project)))


def _run(command: list[str], project: Path) -> list[str]:
    environment: Any = os.environ | {"PYTHONPATH": str(project), "HF_DATASETS_CACHE": "cache", VARIABLE: NAME}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


if __name__ == "__main__":
    main()
