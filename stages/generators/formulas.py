"""Science with worked steps: formulas with units, conversions, molar masses, multiple choice."""

import random

from branchmerge.sources.problems import Problem

# g/mol, rounded as school tables do
_ATOMS = {
    "H": 1, "He": 4, "Li": 7, "B": 11, "C": 12, "N": 14, "O": 16, "F": 19, "Na": 23, "Mg": 24, "Al": 27, "Si": 28,
    "P": 31, "S": 32, "K": 39, "Ca": 40, "Ti": 48, "Fe": 56, "Cu": 64, "Br": 80,
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
_UNITS = {
    "force": "N", "energy": "J", "power": "W", "pressure": "Pa", "charge": "C", "voltage": "V", "current": "A",
    "resistance": "ohm", "frequency": "Hz", "mass": "kg", "amount": "mol", "temperature": "K",
}  # fmt: skip


def problem(rng: random.Random) -> Problem:
    """One random problem of one of seven families."""
    return rng.choice((_product, _quotient, _conversion, _share, _molar_mass, _heaviest, _unit))(rng)


def _product(rng: random.Random) -> Problem:
    text, formula, unit = rng.choice(_PRODUCTS)
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    return Problem(text.format(a=a, b=b), f"{formula}; {a}*{b}={a * b}", f"{a * b} {unit}")


def _quotient(rng: random.Random) -> Problem:
    text, formula, unit = rng.choice(_QUOTIENTS)
    b, quotient = rng.randint(2, 9), rng.randint(2, 9)
    a = b * quotient
    return Problem(text.format(a=a, b=b), f"{formula}; {a}/{b}={quotient}", f"{quotient} {unit}")


def _conversion(rng: random.Random) -> Problem:
    big, small, zeros = rng.choice(_CONVERSIONS)
    number, factor = rng.randint(2, 99), 10**zeros
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


def _molar_mass(rng: random.Random) -> Problem:
    compound = _compound(rng)
    first, second = (_ATOMS[atom] * count for atom, count in compound)
    return Problem(
        f"Molar mass of {''.join(_symbol(*part) for part in compound)}?",
        "; ".join(f"{_ATOMS[atom]}*{count}={_ATOMS[atom] * count}" for atom, count in compound)
        + f"; {first}+{second}={first + second}",
        f"{first + second} g/mol",
    )


def _heaviest(rng: random.Random) -> Problem:
    atoms = rng.sample(sorted(_ATOMS), 3)
    masses = [_ATOMS[atom] for atom in atoms]
    return Problem(
        f"Which atom is heaviest? A) {atoms[0]} B) {atoms[1]} C) {atoms[2]}",
        " ".join(map(str, masses)) + f"; {max(masses)}",
        "ABC"[masses.index(max(masses))],
    )


def _unit(rng: random.Random) -> Problem:
    quantities = rng.sample(sorted(_UNITS), 3)
    asked = rng.randrange(3)
    units = [_UNITS[quantity] for quantity in quantities]
    return Problem(
        f"Which unit measures {quantities[asked]}? A) {units[0]} B) {units[1]} C) {units[2]}",
        units[asked],
        "ABC"[asked],
    )


def _compound(rng: random.Random) -> tuple[tuple[str, int], tuple[str, int]]:
    first, second = rng.sample(sorted(_ATOMS), 2)
    return (first, rng.randint(1, 3)), (second, rng.randint(1, 3))


def _symbol(atom: str, count: int) -> str:
    return f"{atom}{count}" if count > 1 else atom
