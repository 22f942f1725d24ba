"""Endless batches of training faces, every epoch in a new order."""

from collections.abc import Iterator

import numpy as np

from ..data.dataset import Split


def training_batches(
    split: Split,
    *,
    batch_size: int,
    first_step: int,
    seed: int,
    opinion_share: float,
    mixup: float,
    class_weights: np.ndarray | None = None,
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield batches without end, every epoch in a new order.

    What a step yields depends on `seed` and the step's number alone, so a run that was cut off
    continues at `first_step` with the very batches it would have seen.

    What is learned of a face are its `Split.targets` at this `opinion_share`. With `mixup`, each
    face is a blend of two, and so are their targets (Zhang et al., "mixup: Beyond Empirical Risk
    Minimization", 2018): shares are drawn from Beta(mixup, mixup), so that the smaller `mixup`,
    the more one of the two prevails.

    Yields
    ------
    (ndarray of uint8 (batch, 48, 48, 1), ndarray of float32 (batch, emotions))
        Pixels and targets; with `class_weights`, float (emotions,), also the weight of each face,
        (batch,).
    """
    steps = steps_per_epoch(split, batch_size)
    targets = split.targets(opinion_share)
    step = first_step
    while True:
        epoch, batch = divmod(step, steps)
        if batch == 0 or step == first_step:
            order = np.random.default_rng([seed, epoch]).permutation(len(split))
        chosen = order[batch * batch_size : (batch + 1) * batch_size]
        images, wanted = split.images[chosen, ..., None], targets[chosen]
        if mixup:
            images, wanted = _mixed(images, wanted, mixup, np.random.default_rng([seed, step]))
        if class_weights is None:
            yield images, wanted
        else:
            yield images, wanted, (wanted @ class_weights).astype(np.float32)
        step += 1


def steps_per_epoch(split: Split, batch_size: int) -> int:
    """Return how many full batches an epoch has; the few faces left over sit it out."""
    return max(1, len(split) // batch_size)


def _mixed(
    images: np.ndarray, targets: np.ndarray, mixup: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Blend each face of a batch with the one before it: the batch comes shuffled."""
    share = rng.beta(mixup, mixup, len(images)).astype(np.float32)
    of_images = share[:, None, None, None]
    mixed = of_images * images + (1 - of_images) * np.roll(images, 1, axis=0)
    blended = share[:, None] * targets + (1 - share[:, None]) * np.roll(targets, 1, axis=0)
    return np.rint(mixed).astype(np.uint8), blended
