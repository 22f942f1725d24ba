"""The plan of the VGG-style network, which `build_vgg` and the light runtime both follow."""

from collections.abc import Iterator
from typing import NamedTuple

# Pixels of 0 to 255 enter the first convolution standardised: less the face's own mean, divided
# by the root of its own variance plus this. One grey level squared: what varies less is noise, and
# a uniform picture becomes zeros.
PIXEL_EPSILON = 1.0
KERNEL_SIZE = 3
POOL_SIZE = 2
NORM_EPSILON = 1e-3

# The halvings below bring every one of these sizes to 2x2, so the same weights fit them all.
SMALLEST_SIZE, LARGEST_SIZE = 34, 49
END_SIZE = 2


class Conv(NamedTuple):
    """A convolution without bias, batch norm and ReLU."""

    name: str
    filters: int
    padding: str


class Pool(NamedTuple):
    """The max-pool at the end of a block."""

    block: str


class Flatten(NamedTuple):
    """Height, width and channels become one axis, channels last."""

    name: str


class Dense(NamedTuple):
    """A dense layer without bias, batch norm and ReLU."""

    name: str
    units: int


class Classifier(NamedTuple):
    """A dense layer with bias, and the softmax over the emotions."""

    name: str


Step = Conv | Pool | Flatten | Dense | Classifier

PLAN: tuple[Step, ...] = (
    Conv("block1_conv1", 64, "valid"),
    Conv("block1_conv2", 64, "same"),
    Pool("block1"),
    Conv("block2_conv1", 128, "same"),
    Conv("block2_conv2", 128, "same"),
    Pool("block2"),
    Conv("block3_conv1", 256, "same"),
    Conv("block3_conv2", 256, "same"),
    Pool("block3"),
    Conv("block4_conv1", 512, "same"),
    Conv("block4_conv2", 512, "same"),
    Pool("block4"),
    Flatten("flatten"),
    Dense("dense1", 1024),
    Dense("dense2", 256),
    Classifier("dense3"),
)


def kernel_shapes(channels: int, num_classes: int) -> Iterator[tuple[Step, tuple[int, ...]]]:
    """Yield the steps that have weights, each with the shape of its kernel, as Keras has it."""
    inputs = channels
    for step in PLAN:
        match step:
            case Conv(_, filters, _):
                yield step, (KERNEL_SIZE, KERNEL_SIZE, inputs, filters)
                inputs = filters
            case Flatten():
                inputs *= END_SIZE**2
            case Dense(_, units):
                yield step, (inputs, units)
                inputs = units
            case Classifier():
                yield step, (inputs, num_classes)
