"""How the network learns: its loss, its optimizer and the schedule of the learning rate."""

from ..quiet_keras import keras


def compile_network(
    network: keras.Model,
    *,
    steps: int,
    warmup_steps: int,
    learning_rate: float,
    weight_decay: float,
    label_smoothing: float,
) -> None:
    """Compile a network for a run of so many steps, its optimizer built.

    SGD with Nesterov momentum and decoupled weight decay; the learning rate warms up, for a tenth
    of the steps at most, then falls to zero along a cosine. The optimizer keeps an exponential
    moving average of the weights.

    Parameters
    ----------
    network : keras.Model
        Returns probabilities.
    steps, warmup_steps : int
        Of the whole run, and of its warm-up.
    learning_rate, weight_decay, label_smoothing : float
        See `fer_utils.train`.
    """
    network.compile(
        _optimizer(steps, min(warmup_steps, steps // 10), learning_rate, weight_decay),
        keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing),
        # From its name alone Keras would make it within a step, which TensorFlow traces again then.
        metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
        # XLA takes longer to compile this network on a CPU than to train it; jax has no other way.
        jit_compile=keras.backend.backend() == "jax",
    )
    # Not the optimizer made below: in mixed_float16, compile wraps it in one that scales the loss.
    network.optimizer.build(network.trainable_variables)


def _optimizer(
    steps: int, warmup_steps: int, learning_rate: float, weight_decay: float
) -> keras.optimizers.Optimizer:
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=learning_rate / 25,
        decay_steps=steps - warmup_steps,
        warmup_target=learning_rate,
        warmup_steps=warmup_steps,
    )
    optimizer = keras.optimizers.SGD(
        schedule,
        momentum=0.9,
        nesterov=True,
        weight_decay=weight_decay,
        use_ema=True,
        # About the last 1000 steps, or a tenth of a run that is shorter than 10,000.
        ema_momentum=1 - 1 / min(1000, max(2, steps / 10)),
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
