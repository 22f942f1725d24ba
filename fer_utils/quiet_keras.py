"""Keras, imported without what its backend has to say about the machine.

Every module takes it from here: ``from ..quiet_keras import keras``.
"""

from .extras import training_extra
from .quiet import quiet

with training_extra(), quiet():
    import keras

__all__ = ["keras"]
