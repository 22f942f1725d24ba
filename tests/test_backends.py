"""Training on another backend than TensorFlow, such as one takes to a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = [
    "training/test_augmentation.py",
    "training/test_distillation.py",
    "training/test_batch_norm.py",
    "training/test_loop.py::test_the_log_measures_the_averaged_weights_that_are_kept",
    "training/test_loop.py::test_the_weights_kept_have_the_statistics_of_whole_faces",
    "training/test_loop.py::test_a_taught_run_goes_on_as_if_never_cut_off",
]


@pytest.mark.slow
def test_jax_trains_as_tensorflow_does():
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
        cwd=Path(__file__).parent,
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
