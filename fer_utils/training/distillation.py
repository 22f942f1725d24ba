"""A network while it learns: augmentation before it, teachers beside it."""

from collections.abc import Sequence

from ..data.parsing import IMAGE_SHAPE
from ..network.vgg import at_size
from ..quiet_keras import keras
from .augmentation import Augmentation, Tensor
from .devices import Spread

ops = keras.ops


class Trainee(keras.Model):
    """A network while it learns: augmentation before it, teachers beside it.

    What teachers, the networks trained before, say about a face counts as much as its label:
    distillation (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015) from
    networks of the student's own kind (Furlanello et al., "Born-Again Neural Networks", 2018).
    FER2013's labels are often doubtful: where teachers contradict a label, the student is allowed
    to doubt it too. Teachers are shown each face just as the student sees it, augmented, and not
    as they may know it by heart (Beyer et al., "Knowledge Distillation: A Good Teacher Is
    Patient and Consistent", 2022).

    Takes faces as a `Split` holds them, uint8 (n, 48, 48, 1).

    Parameters
    ----------
    network : keras.Model
        A chain of layers such as `build_vgg` returns. The trainee shares its weights.
    size : int
        Side of the pictures that it trains on, in px.
    teachers : sequence of keras.Model
        Networks of the same kind, of which the plain mean counts. Copies of them are asked, which
        do not learn.

    Attributes
    ----------
    augmentation : Augmentation
    student : keras.Model
        `network`, for pictures of that size.
    """

    def __init__(
        self, network: keras.Model, size: int, teachers: Sequence[keras.Model] = ()
    ) -> None:
        faces = keras.Input((*IMAGE_SHAPE, 1), dtype="uint8")
        augmentation, student = Augmentation(size), at_size(network, size)
        pixels = augmentation(Spread()(faces))
        answers = [student(pixels)]
        if teachers:
            answers.append(_Teachers([at_size(copy_of(one), size) for one in teachers])(pixels))
        super().__init__(faces, ops.stack(answers, axis=1), name="trainee")
        self.augmentation, self.student = augmentation, student
        self._is_taught = bool(teachers)

    def compute_loss(
        self,
        x: Tensor | None = None,
        y: Tensor | None = None,
        y_pred: Tensor | None = None,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> Tensor:
        """Compare the student with labels and teachers in training, else with labels alone."""
        if self._is_taught and training:
            y = (y + y_pred[:, 1]) / 2
        return super().compute_loss(x, y, y_pred[:, 0], sample_weight, training)

    def compute_metrics(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> dict:
        """Measure the student against the labels."""
        return super().compute_metrics(x, y, y_pred[:, 0], sample_weight)


class _Teachers(keras.layers.Layer):
    """The mean of what trained networks say, in training."""

    def __init__(self, networks: Sequence[keras.Model]) -> None:
        super().__init__(dtype="float32")
        self._networks = networks
        self.trainable = False  # not above: the networks would not hear of it

    def call(self, pixels: Tensor, training: bool = False) -> Tensor:
        if not training:  # only the labels count then, so no teacher is asked
            classes = self._networks[0].output_shape[-1]
            return ops.full((ops.shape(pixels)[0], classes), 1 / classes)
        return ops.mean(ops.stack([one(pixels, training=False) for one in self._networks]), axis=0)


def copy_of(network: keras.Model) -> keras.Model:
    """Return a copy, which may be frozen or shared by devices while the network stays as it is."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy
