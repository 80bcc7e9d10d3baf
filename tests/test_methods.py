"""Each merge method's parameters are mergekit's, and what mergekit would not take is refused by its path."""

from pathlib import Path

import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.params import read_params
from branchmerge.merging.params import MergeParams

WRONG = [
    ("weights: {a: 1.0}", "one weight for each branch of order"),
    ("method: sliced", "sliced"),
    ("order: [a]", "at least 2"),
    ("parameters: {ties: {densty: 0.5}}", r"merge.parameters.ties.densty: expected a known key"),
    ("parameters: {ties: {density: 1.5}}", r"merge.parameters.ties.density: expected a number above 0 up to 1"),
    ("parameters: {ties: {density: [0.5, 0]}}", r"merge.parameters.ties.density"),
    ("parameters: {ties: {density: [{filter: mlp, value: 2}]}}", r"merge.parameters.ties.density"),
    ("parameters: {ties: {density: [{filter: mlp, values: 1}]}}", r"merge.parameters.ties.density"),
    ("parameters: {ties: {density: {a: 0.5}}}", "parameters.ties.density for each branch of order"),
    ("parameters: {ties: {normalize: 1}}", r"merge.parameters.ties.normalize: expected true or false"),
    ("parameters: {ties: {weight: 1.0}}", r"merge.parameters.ties.weight"),
    ("parameters: {ties: {}, slerp: {}}", r"merge.parameters.slerp.t: expected a value, got none"),
    ("parameters: {ties: {}, sliced: {}}", r"merge.parameters.sliced"),
    ("parameters: {ties: {}, branch_fusion: {granularity: column}}", "expected tensor or row"),
    ("parameters: {ties: {}, branch_fusion: {threshold_multiplier: -1}}", "a number from 0"),
    ("parameters: {dare_ties: {}}", "parameters of ties"),
    ("weights: {a: 0.5, b: .nan}", r"merge.weights.b: expected a number"),
]

RIGHT = [
    "parameters: {ties: {density: [0.2, 0.8]}}",
    "parameters: {ties: {density: [{filter: mlp, value: 0.8}, {value: 0.5}]}}",
    "parameters: {ties: {density: {filter: mlp, value: [0.2, 0.8]}}}",
    "parameters: {ties: {density: {a: 0.5, b: 1}}}",
    "parameters: {ties: {lambda: 1e-1, int8_mask: true}, karcher: {max_iter: 5}}",
    "weights: {a: [0.2, 0.8], b: 1}",
]


@pytest.mark.parametrize("line", RIGHT)
def test_parameters_may_vary_over_layers_tensors_and_branches(tmp_path: Path, line: str):
    assert read_params(MergeParams, file=written(tmp_path, line)).method == "ties"


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_a_wrong_recipe_is_refused(tmp_path: Path, line: str, message: str):
    with pytest.raises(InputError, match=message):
        read_params(MergeParams, file=written(tmp_path, line))


def written(folder: Path, line: str) -> Path:
    """A params.yaml with a right section merge, one line of it replaced."""
    keys = {
        "method": "ties",
        "order": "[a, b]",
        "weights": "{a: 0.5, b: 0.5}",
        "parameters": "{ties: {density: 0.5}}",
        "dtype": "float32",
        "out_dtype": "float32",
        "smoke": "null",
    }
    key, _, value = line.partition(": ")
    text = "merge:\n" + "".join(f"  {name}: {given}\n" for name, given in {**keys, key: value}.items())
    (folder / "params.yaml").write_text(text)
    return folder / "params.yaml"


@pytest.mark.slow
def test_the_table_of_methods_is_mergekits():
    import typing

    from mergekit.merge_methods.base import BasePolicy, ParameterScope

    from branchmerge.merging.mergekit_plugin import register
    from branchmerge.merging.methods import FLAG, METHODS, Number

    register()
    from mergekit.merge_methods.registry import registered_methods

    specs = {method.spec.name: method.spec for method in registered_methods()}
    assert specs.keys() == METHODS.keys()
    for name, spec in specs.items():
        method = METHODS[name]
        theirs = {parameter.name: parameter for parameter in spec.parameters}
        assert ("weight" in theirs) == method.takes_weights, name
        assert theirs.keys() - {"weight"} == method.parameters.keys(), name
        assert (spec.contract.base == BasePolicy.IGNORED) == (method.inputs == "branches"), name
        assert (spec.contract.max_inputs == 2) == (method.inputs == "chain"), name
        assert spec.contract.max_non_base in (None, method.max_branches), name
        for key, parameter in method.parameters.items():
            is_per_branch = theirs[key].scope != ParameterScope.SHARED
            assert (theirs[key].required, is_per_branch) == (parameter.is_required, parameter.is_per_branch), (
                name,
                key,
            )
            assert (theirs[key].value_type is bool) == (parameter.range == FLAG), (name, key)
            is_number = {int, float} & {theirs[key].value_type, *typing.get_args(theirs[key].value_type)}
            assert bool(is_number) == isinstance(parameter.range, Number), (name, key)
