"""The laboratory behind evaluation.ipynb: what the networks know, and when not to trust them."""
