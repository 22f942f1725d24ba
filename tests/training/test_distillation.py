import keras
import numpy as np
import pytest
from keras import layers

from fer_utils.training.distillation import Trainee

FACES = np.random.default_rng(0).integers(0, 256, (6, 48, 48, 1), np.uint8)
LABELS = np.eye(7, dtype=np.float32)[[0, 3, 6, 1, 1, 2]]


def network(*favoured: int) -> keras.Model:
    """Return a network that says the same of every face: 0.4 for each of two emotions."""
    start = keras.initializers.Constant(np.log([0.4 if k in favoured else 0.04 for k in range(7)]))
    softmax = layers.Dense(7, "softmax", kernel_initializer="zeros", bias_initializer=start)
    return keras.Sequential([keras.Input((48, 48, 1)), layers.GlobalAveragePooling2D(), softmax])


def compiled(student: keras.Model, teachers: list[keras.Model], rate: float = 0.0) -> Trainee:
    trainee = Trainee(student, 48, teachers)
    accuracy = keras.metrics.CategoricalAccuracy("accuracy")
    trainee.compile(keras.optimizers.SGD(rate), "categorical_crossentropy", metrics=[accuracy])
    return trainee


def cross_entropy(targets: np.ndarray, said: np.ndarray) -> float:
    return -(targets * np.log(said)).sum(axis=1).mean()


@pytest.mark.slow
def test_teachers_count_as_much_as_labels_in_training_and_nothing_in_validation():
    said = np.full(7, 0.04)
    said[[0, 1]] = 0.4
    taught = np.full(7, 0.04)
    taught[3], taught[[4, 5]] = 0.4, 0.22
    trainee = compiled(network(0, 1), [network(3, 4), network(3, 5)])
    loss, accuracy = trainee.train_on_batch(FACES, LABELS)
    assert loss == pytest.approx(cross_entropy((LABELS + taught) / 2, said), rel=1e-4)
    assert accuracy == pytest.approx(1 / 6)  # against the labels: the first face alone is angry
    loss, accuracy = trainee.evaluate(FACES, LABELS, verbose=0)
    assert loss == pytest.approx(cross_entropy(LABELS, said), rel=1e-4)
    assert accuracy == pytest.approx(1 / 6)


@pytest.mark.slow
def test_without_teachers_the_labels_are_all():
    said = np.full(7, 0.04)
    said[[0, 1]] = 0.4
    loss, _ = compiled(network(0, 1), []).train_on_batch(FACES, LABELS)
    assert loss == pytest.approx(cross_entropy(LABELS, said), rel=1e-4)


@pytest.mark.slow
def test_the_student_learns_and_its_teacher_only_when_it_is_its_turn():
    first, second = network(0, 1), network(3, 4)
    for student, teacher in ((first, second), (second, first)):
        before = [one.get_weights() for one in (student, teacher)]
        compiled(student, [teacher], rate=0.1).train_on_batch(FACES, LABELS)
        after = [one.get_weights() for one in (student, teacher)]
        changed = [
            any(not np.array_equal(a, b) for a, b in zip(*both, strict=True))
            for both in zip(before, after, strict=True)
        ]
        assert changed == [True, False]


@pytest.mark.slow
def test_teachers_are_shown_the_augmented_face():
    """A teacher that finds a face dark teaches that, of a face that the augmentation darkened."""
    bias = np.zeros(7)
    brightness = np.zeros((1, 7))
    brightness[0, 3] = 0.05  # the brighter, the happier
    teacher = network(0, 1)
    teacher.set_weights([brightness, bias])
    student = network(0, 1)
    trainee = compiled(student, [teacher])
    losses = []
    for strength in (0.0, 1.0):
        trainee.augmentation.strength.assign(strength)
        losses.append({round(float(trainee.train_on_batch(FACES, LABELS)[0]), 4) for _ in range(5)})
    assert len(losses[0]) == 1  # only mirrored: as bright as it was
    assert len(losses[1]) > 1


@pytest.mark.parametrize("size", [34, 48])
def test_the_trainee_shows_the_network_faces_of_that_size(size):
    trainee = Trainee(network(0, 1), size, [network(3, 4)])
    assert trainee.input_shape == (None, 48, 48, 1)
    assert trainee.student.input_shape == (None, size, size, 1)
