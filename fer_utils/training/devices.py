"""Several devices that train one network together, by Keras's `keras.distribution` on JAX."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeAlias

import numpy as np

from ..argument_checks import checked_whole_number
from ..quiet_keras import keras
from .augmentation import Tensor

Devices: TypeAlias = int | Literal["all"]

# One of those by which Keras is told of the processes on several hosts.
_HOSTS = "KERAS_DISTRIBUTION_JOB_ADDRESSES"


def join_hosts() -> None:
    """Join the processes that the environment names, on this host or on others, if it names any.

    Before anything is computed, and in each of them: see docs/bulk.md.
    """
    if _HOSTS in os.environ:
        _check_backend("Training on several hosts")
        try:
            keras.distribution.initialize()
        except RuntimeError as error:  # JAX's, when the others do not answer
            raise ValueError(
                f"The processes that {_HOSTS}={os.environ[_HOSTS]!r} names cannot be joined "
                f"({error}). Check the addresses, and that all of them were started."
            ) from error


def spread_over(devices: Devices) -> AbstractContextManager:
    """Return what to train in, so that so many devices share each batch.

    Networks, optimizer and all must be made in it. Batch norm, loss and measures are those of the
    whole batch.

    Parameters
    ----------
    devices : int or "all"
        How many; with several processes, "all" of theirs.

    Raises
    ------
    TypeError, ValueError
        If it is neither, there are not so many, or Keras's backend cannot share.
    """
    if isinstance(devices, str) and devices != "all":
        raise ValueError(f'devices must be "all" or a number of devices, got {devices!r}.')
    if devices != "all" and checked_whole_number("devices", devices, least=1) == 1:
        return nullcontext()
    _check_backend(f"devices={devices!r}")
    found = keras.distribution.list_devices()
    if devices != "all" and devices > len(found):
        raise ValueError(
            f"devices={devices} are more than the {len(found)} that JAX sees here "
            f'({", ".join(found)}); name fewer, or "all".'
        )
    if devices != "all" and _processes() > 1:
        raise ValueError(f'devices must be "all" where several processes train, got {devices}.')
    used = found if devices == "all" else found[:devices]
    return (
        _WholeBatches(devices=used, auto_shard_dataset=False).scope()
        if len(used) > 1
        else nullcontext()
    )


def check_same_epoch(epoch: int) -> None:
    """Raise ValueError where several processes are about to go on from different epochs."""
    if keras.backend.backend() != "jax" or _processes() == 1:
        return
    from jax.experimental import multihost_utils

    epochs = np.unique(multihost_utils.process_allgather(np.array(epoch)))
    if len(epochs) > 1:
        raise ValueError(
            f"The processes' run folders have done {', '.join(map(str, epochs))} epochs. Copy the "
            "folder that has done the most over the others, and start all of them again."
        )


class Spread(keras.layers.Layer):
    """Gives each device its share of a batch; all of it where the devices do not divide it.

    Outside of `spread_over` it changes nothing.
    """

    def call(self, faces: Tensor) -> Tensor:
        distribution = keras.distribution.distribution()
        if distribution is None or faces.shape[0] % distribution.device_mesh.devices.size:
            return faces
        axes = [distribution.batch_dim_name, *[None] * (len(faces.shape) - 1)]
        layout = keras.distribution.TensorLayout(axes, distribution.device_mesh)
        return keras.distribution.distribute_tensor(faces, layout)


class _WholeBatches(keras.distribution.DataParallel):
    """Shows every device the whole batch, of which `Spread` leaves it a share.

    Keras itself would share the batches out before the network sees them, all in the way of the
    first one, and fail where the last one has fewer faces. Faces are small.
    """

    def get_data_layout(self, data_shape: tuple[int, ...]) -> keras.distribution.TensorLayout:
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)


def _check_backend(what: str) -> None:
    if keras.backend.backend() != "jax":
        raise ValueError(
            f"{what} needs JAX: set the environment variable KERAS_BACKEND to jax before Keras is "
            f"imported; it is {keras.backend.backend()} now."
        )


def _processes() -> int:
    import jax

    return jax.process_count()
