"""What `branchmerge plan` predicts beside what the last build measured, stage by stage.

Run in a folder whose build is finished, on the machine that ran it, with nothing else at work: make bench NAME=plan
"""

import json
from pathlib import Path

from branchmerge.plan.build import read_build
from branchmerge.plan.costs import costs
from branchmerge.plan.devices import CPU, device

COST = Path("reports/cost")


def main() -> None:
    """Print predicted and measured seconds, and the factor between them."""
    build = read_build()
    factors = []
    for cost in costs(build, device(CPU, is_float32=True), set()):
        measured_s = json.loads((COST / f"{cost.stage.replace('@', '-')}.json").read_text())["wall_s"]
        factor = max(cost.seconds / measured_s, measured_s / cost.seconds)
        factors.append(factor)
        print(f"{cost.stage:24} {cost.seconds:8.1f} s predicted {measured_s:8.1f} s measured   factor {factor:.2f}")
    within = sum(factor <= 1.5 for factor in factors)
    print(f"{within} of {len(factors)} stages within a factor 1.5; the worst {max(factors):.2f}")


if __name__ == "__main__":
    main()
