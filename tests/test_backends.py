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
    "training/test_devices.py",
]
# XLA takes longer to compile these small networks than to run them.
QUICKLY_COMPILED = "--xla_backend_optimization_level=0"


@pytest.mark.slow
def test_jax_trains_as_tensorflow_does_and_two_devices_as_one(tmp_path):
    environment = {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"{QUICKLY_COMPILED} --xla_force_host_platform_device_count=2",
        # The runs compile the same things again and again.
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
        cwd=Path(__file__).parent,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
