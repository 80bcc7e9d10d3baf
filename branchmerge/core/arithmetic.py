"""One arithmetic for many CPUs: the kernels that all of them have, though this one may know faster ones.

Processors add in other orders, and a small model shows it. Intel's processors since Haswell have AVX2's kernels, and
came to the same bits where it was tried (DECISIONS 42); others, as AMD's, come to their own.
"""

import os
import sys

from branchmerge.core.params import RunParams, read_params

SHARED = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # bfloat16
    "NUMBA_CPU_NAME": "haswell",  # the merge's own kernels
    "NUMBA_CPU_FEATURES": "+avx2,+fma",
}


def read_run() -> RunParams:
    """The section run of params.yaml, for a stage that computes: its arithmetic is in force from here on.

    To be read before torch is imported, which chooses its kernels once.
    """
    params = read_params(RunParams)
    if params.arithmetic == "shared" and any(os.environ.get(name) != value for name, value in SHARED.items()):
        assert "torch" not in sys.modules, "run.arithmetic is read before torch is imported"
        os.environ.update(SHARED)
    return params
