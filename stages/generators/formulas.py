"""Science with worked steps: formulas with units, conversions, masses in compounds, the heaviest of three atoms."""

import random

from branchmerge.sources.problems import Problem

# g/mol, rounded as school tables do
_ATOMS = {
    "H": 1, "He": 4, "Li": 7, "B": 11, "C": 12, "N": 14, "O": 16, "F": 19, "Na": 23, "Mg": 24, "Al": 27, "Si": 28,
    "S": 32, "Ca": 40,
}  # fmt: skip
# question, formula, unit of the answer
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
    ("Density {a} g/cm3, volume {b} cm3. What is the mass?", "m=d*V", "g"),
)
_QUOTIENTS = (
    ("A {a} g stone fills {b} cm3. What is its density?", "d=m/V", "g/cm3"),
    ("A car drives {a} m in {b} s. What is its speed?", "v=s/t", "m/s"),
    ("A force of {a} N acts on {b} m2. What is the pressure?", "p=F/A", "Pa"),
    ("A force of {a} N acts on {b} kg. What is the acceleration?", "a=F/m", "m/s2"),
    ("A voltage of {a} V drives {b} ohm. What is the current?", "I=U/R", "A"),
    ("An engine does {a} J of work in {b} s. What is its power?", "P=W/t", "W"),
    ("A charge of {a} C passes in {b} s. What is the current?", "I=Q/t", "A"),
)
_CONVERSIONS = (
    ("km", "m", 3),
    ("kg", "g", 3),
    ("m", "cm", 2),
    ("L", "mL", 3),
    ("kJ", "J", 3),
    ("cm", "mm", 1),
    ("MW", "kW", 3),
    ("t", "kg", 3),
)


def problem(rng: random.Random) -> Problem:
    """One random problem of one of six families."""
    return rng.choice((_product, _quotient, _conversion, _share, _heaviest, _atoms))(rng)


def _product(rng: random.Random) -> Problem:
    text, formula, unit = rng.choice(_PRODUCTS)
    a, b = rng.randint(2, 9), rng.randint(2, 6)
    return Problem(text.format(a=a, b=b), f"{formula}; {a}*{b}={a * b}", f"{a * b} {unit}")


def _quotient(rng: random.Random) -> Problem:
    text, formula, unit = rng.choice(_QUOTIENTS)
    b, quotient = rng.randint(2, 9), rng.randint(2, 6)
    a = b * quotient
    return Problem(text.format(a=a, b=b), f"{formula}; {a}/{b}={quotient}", f"{quotient} {unit}")


def _conversion(rng: random.Random) -> Problem:
    big, small, zeros = rng.choice(_CONVERSIONS)
    number, factor = rng.randint(11, 99), 10**zeros
    return Problem(
        f"Convert {number} {big} to {small}.",
        f"1 {big}={factor} {small}; {number}*{factor}={number * factor}",
        f"{number * factor} {small}",
    )


def _share(rng: random.Random) -> Problem:
    (atom, count), (other, times) = _compound(rng)
    mass = _ATOMS[atom] * count
    return Problem(
        f"What mass has {atom} in one mol of {_symbol(atom, count)}{_symbol(other, times)}?",
        f"{atom}={_ATOMS[atom]}; {_ATOMS[atom]}*{count}={mass}",
        f"{mass} g",
    )


def _heaviest(rng: random.Random) -> Problem:
    atoms = rng.sample(sorted(_ATOMS), 3)
    heaviest = max(atoms, key=_ATOMS.__getitem__)
    return Problem(
        f"Which is heaviest, {atoms[0]}, {atoms[1]} or {atoms[2]}?",
        "; ".join(f"{atom}={_ATOMS[atom]}" for atom in atoms) + f"; {_ATOMS[heaviest]}={heaviest}",
        heaviest,
    )


def _atoms(rng: random.Random) -> Problem:
    first, second = rng.sample(sorted(_ATOMS), 2)
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    steps = f"{first}={a}; {second}={b}; {a}+{b}={a + b}"
    return Problem(f"How many atoms has {first}{a}{second}{b}?", steps, str(a + b))


def _compound(rng: random.Random) -> tuple[tuple[str, int], tuple[str, int]]:
    first, second = rng.sample(sorted(_ATOMS), 2)
    return (first, rng.randint(1, 3)), (second, rng.randint(1, 3))


def _symbol(atom: str, count: int) -> str:
    return f"{atom}{count}" if count > 1 else atom
