"""What the light install leaves out, and the commands that bring it."""

from collections.abc import Iterator
from contextlib import contextmanager

# In double quotes, the only ones that the command line of Windows knows.
_COMMAND = 'pip install "fer-utils[{}] @ git+https://github.com/jhan15/facial_emotion_recognition"'
TRAINING_COMMAND, BULK_COMMAND, INT8_COMMAND, NOTEBOOKS_COMMAND = map(
    _COMMAND.format, ("training", "bulk", "training,int8", "notebooks")
)
# By the names under which they are imported.
TRAINING_PACKAGES = ("imblearn", "keras", "scipy", "seaborn", "sklearn", "tensorflow")


@contextmanager
def training_extra() -> Iterator[None]:
    """Import in this block what only the extra `training` brings.

    Recognising does without, and what trains and measures is larger than all the rest.

    Raises
    ------
    ImportError
        If one of them is not installed; the message says which, and the command that brings it.

    Examples
    --------
    >>> with training_extra():
    ...     from sklearn.decomposition import PCA
    """
    with _named(
        "Training, measuring and networks of Keras need", TRAINING_COMMAND, TRAINING_PACKAGES
    ):
        yield


@contextmanager
def bulk_extra() -> Iterator[None]:
    """Import in this block pyarrow, which the extra `bulk` brings.

    Raises
    ------
    ImportError
        If it is not installed; the message names the command that brings it.

    Examples
    --------
    >>> with bulk_extra():
    ...     import pyarrow
    """
    with _named("Labelling in bulk needs", BULK_COMMAND, ("pyarrow",)):
        yield


@contextmanager
def int8_extra() -> Iterator[None]:
    """Import in this block NNCF, which the extra `int8` brings; computing with int8 needs none.

    Raises
    ------
    ImportError
        If it is not installed; the message names the command that brings it.

    Examples
    --------
    >>> with int8_extra():
    ...     import nncf
    """
    with _named("Making the int8 copy of networks needs", INT8_COMMAND, ("nncf",)):
        yield


@contextmanager
def notebooks_extra() -> Iterator[None]:
    """Import in this block what reads, runs and writes notebooks, which `notebooks` brings.

    Raises
    ------
    ImportError
        If one of them is not installed; the message says which, and the command that brings it.

    Examples
    --------
    >>> with notebooks_extra():
    ...     import nbformat
    """
    packages = ("jupyter_client", "nbclient", "nbconvert", "nbformat")
    with _named("A notebook's report needs", NOTEBOOKS_COMMAND, packages):
        yield


@contextmanager
def _named(who_needs: str, command: str, packages: tuple[str, ...]) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in packages:
            raise
        raise ImportError(
            f"{who_needs} a package that recognising does without and that is not installed "
            f"({error.name}): {command}"
        ) from error
