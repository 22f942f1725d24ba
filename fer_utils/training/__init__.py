"""Training of a network; ``python -m fer_utils.training`` is its command.

Imports `data`, `network` and `evaluation`.
"""
