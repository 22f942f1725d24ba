"""Prints how many faces a second the network trains on, beside TensorFlow's default.

    python tests/benchmarks/bench_training.py

measures training steps of `build_vgg` as `train` takes them, augmentation included, at 48x48 px
in batches of 64. The package switches oneDNN on, which TensorFlow leaves off on AMD processors.
What is asked for is at least 24 images/s in float32 on 2 cores with AVX2, and nothing else running.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

# Precision and oneDNN's switch. Without oneDNN, mixed_bfloat16 takes minutes a step.
DEFAULT, SHIPPED, SHIPPED_MIXED = ("float32", "0"), ("float32", "1"), ("mixed_bfloat16", "1")
BATCH_SIZE = 64
WARM_UP_STEPS, STEPS = 2, 8
WANTED_IMAGES_PER_S = 24


def measure(precision: str) -> float:
    """Return images/s of the median step, in this process."""
    import keras
    import numpy as np

    from fer_utils.network.vgg import build_vgg
    from fer_utils.training.distillation import Trainee
    from fer_utils.training.optimizer import compile_network

    keras.config.set_dtype_policy(precision)
    trainee = Trainee(build_vgg(), 48)
    trainee.augmentation.strength.assign(1)
    compile_network(
        trainee,
        steps=1000,
        warmup_steps=10,
        learning_rate=0.05,
        weight_decay=5e-3,
        label_smoothing=0.1,
    )
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (BATCH_SIZE, 48, 48, 1), np.uint8)
    labels = np.eye(7, dtype=np.float32)[rng.integers(0, 7, BATCH_SIZE)]
    durations_s = []
    for _ in range(WARM_UP_STEPS + STEPS):
        start = time.perf_counter()
        trainee.train_on_batch(faces, labels)
        durations_s.append(time.perf_counter() - start)
    return BATCH_SIZE / float(np.median(durations_s[WARM_UP_STEPS:]))


def measure_apart(precision: str, onednn: str) -> float:
    """Return images/s in a process of its own: TensorFlow reads its switch only once."""
    root = Path(__file__).parents[2]
    environment = os.environ | {
        "TF_ENABLE_ONEDNN_OPTS": onednn,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": str(root),
    }
    done = subprocess.run(
        [sys.executable, __file__, precision],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(done.stdout)


def main() -> None:
    """Measure TensorFlow's default and what the package does, and print a table."""
    speeds = {}
    print(f"{'precision':16}{'oneDNN':8}{'images/s':>10}{'ratio':>8}")
    for setting in (DEFAULT, SHIPPED, SHIPPED_MIXED):
        speeds[setting] = speed = measure_apart(*setting)
        precision, onednn = setting[0], ("off", "on")[int(setting[1])]
        print(f"{precision:16}{onednn:8}{speed:10.1f}{speed / speeds[DEFAULT]:8.2f}", flush=True)
    verdict = "reached" if speeds[SHIPPED] >= WANTED_IMAGES_PER_S else "MISSED"
    print(f"wanted in float32 on 2 cores with AVX2: {WANTED_IMAGES_PER_S} images/s, {verdict}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(measure(sys.argv[1]))
    else:
        main()
