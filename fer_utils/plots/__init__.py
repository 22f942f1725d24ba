"""Charts, one file a topic.

Imports `data`, `evaluation` and `recognition`.
"""
