"""Science with worked steps: formulas with units, conversions, molar masses, multiple choice."""

import random

from stages.shared.problems import Problem

# g/mol, rounded as school tables do
_ATOMS = {"H": 1, "C": 12, "N": 14, "O": 16, "F": 19, "Na": 23, "Mg": 24, "S": 32, "K": 39, "Ca": 40, "Fe": 56, "Br": 80}

# question, formula, first and second quantity's range, unit of the answer; all are products
_PRODUCTS = (
    ("A {a} kg cart accelerates at {b} m/s2. What force acts?", "F=m*a", "N"),
    ("A {a} N force moves a box {b} m. What work is done?", "W=F*s", "J"),
    ("A current of {a} A flows through {b} ohm. What is the voltage?", "U=R*I", "V"),
    ("A device draws {a} A at {b} V. What is its power?", "P=U*I", "W"),
    ("A {a} kg ball moves at {b} m/s. What is its momentum?", "p=m*v", "kg m/s"),
    ("A current of {a} A flows for {b} s. What charge passes?", "Q=I*t", "C"),
    ("A wave of {a} Hz is {b} m long. What is its speed?", "v=f*l", "m/s"),
    ("A lamp of {a} W burns for {b} s. What energy does it use?", "E=P*t", "J"),
    ("A pressure of {a} Pa acts on {b} m2. What is the force?", "F=p*A", "N"),
)
_QUOTIENTS = (
    ("A {a} g stone fills {b} cm3. What is its density?", "d=m/V", "g/cm3"),
    ("A car drives {a} m in {b} s. What is its speed?", "v=s/t", "m/s"),
    ("A force of {a} N acts on {b} m2. What is the pressure?", "p=F/A", "Pa"),
    ("A force of {a} N acts on {b} kg. What is the acceleration?", "a=F/m", "m/s2"),
    ("A voltage of {a} V drives {b} ohm. What is the current?", "I=U/R", "A"),
    ("An engine does {a} J of work in {b} s. What is its power?", "P=W/t", "W"),
)
_CONVERSIONS = (("km", "m", 1000), ("kg", "g", 1000), ("m", "cm", 100), ("h", "min", 60), ("min", "s", 60), ("L", "mL", 1000), ("kJ", "J", 1000), ("day", "h", 24), ("cm", "mm", 10), ("h", "s", 3600))
_UNITS = (("force", "N"), ("energy", "J"), ("power", "W"), ("pressure", "Pa"), ("charge", "C"), ("voltage", "V"), ("current", "A"), ("resistance", "ohm"), ("frequency", "Hz"), ("mass", "kg"), ("amount", "mol"), ("temperature", "K"))


def problem(rng: random.Random) -> Problem:
    """One random problem of one of six families."""
    return rng.choice((_product, _quotient, _conversion, _molar_mass, _molar_mass, _heaviest, _kinetic))(rng)


def _product(rng: random.Random) -> Problem:
    text, formula, unit = rng.choice(_PRODUCTS)
    a, b = rng.randint(2, 9) * rng.choice((1, 10, 100)), rng.randint(2, 12)
    return Problem(text.format(a=a, b=b), f"{formula}; {a}*{b}={a * b}", f"{a * b} {unit}")


def _quotient(rng: random.Random) -> Problem:
    text, formula, unit = rng.choice(_QUOTIENTS)
    b, quotient = rng.randint(2, 9), rng.randint(2, 9) * rng.choice((1, 10, 100))
    a = b * quotient
    return Problem(text.format(a=a, b=b), f"{formula}; {a}/{b}={quotient}", f"{quotient} {unit}")


def _conversion(rng: random.Random) -> Problem:
    big, small, factor = rng.choice(_CONVERSIONS)
    tenths = rng.randint(11, 399) if factor >= 10 else 0
    value = f"{tenths // 10}.{tenths % 10}"
    result = f"{tenths * factor / 10:g}" if tenths * factor % 10 else str(tenths * factor // 10)
    return Problem(f"Convert {value} {big} to {small}.", f"1 {big} = {factor} {small}; {value}*{factor}={result}", f"{result} {small}")


def _kinetic(rng: random.Random) -> Problem:
    m, v = 2 * rng.choice((1, 2, 3, 5, 10)), rng.randint(2, 9)
    return Problem(
        f"A {m} kg ball flies at {v} m/s. What is its kinetic energy?",
        f"E=m/2*v*v; {v}*{v}={v * v}; {m}/2={m // 2}; {m // 2}*{v * v}={m // 2 * v * v}",
        f"{m // 2 * v * v} J",
    )


def _molar_mass(rng: random.Random) -> Problem:
    formula = _formula(rng, 2, 2)
    return Problem(f"What is the molar mass of {_written(formula)}?", _weighing(formula), f"{_mass(formula)} g/mol")


def _heaviest(rng: random.Random) -> Problem:
    while True:
        options = [_formula(rng, 2, 2) for _ in range(3)]
        masses = [_mass(option) for option in options]
        if len(set(masses)) == 3:
            break
    listed = " ".join(f"{letter}) {_written(option)}" for letter, option in zip("ABC", options))
    weighed = "; ".join(f"{letter} {_sum(option)}" for letter, option in zip("ABC", options))
    return Problem(f"Which has the largest molar mass? {listed}", weighed, "ABC"[masses.index(max(masses))])


def _formula(rng: random.Random, fewest: int, most: int) -> list[tuple[str, int]]:
    atoms = rng.sample(sorted(_ATOMS), rng.randint(fewest, most))
    return [(atom, rng.randint(1, 3)) for atom in atoms]


def _mass(formula: list[tuple[str, int]]) -> int:
    return sum(_ATOMS[atom] * count for atom, count in formula)


def _written(formula: list[tuple[str, int]]) -> str:
    return "".join(f"{atom}{count}" if count > 1 else atom for atom, count in formula)


def _weighing(formula: list[tuple[str, int]]) -> str:
    parts = [f"{_ATOMS[atom]}*{count}={_ATOMS[atom] * count}" for atom, count in formula]
    total, sums = _ATOMS[formula[0][0]] * formula[0][1], []
    for atom, count in formula[1:]:
        part = _ATOMS[atom] * count
        sums.append(f"{total}+{part}={total + part}")
        total += part
    return "; ".join(parts + sums)


def _sum(formula: list[tuple[str, int]]) -> str:
    return "+".join(str(_ATOMS[atom] * count) for atom, count in formula) + f"={_mass(formula)}"
