"""Measures of a network or a vote; ``python -m fer_utils.evaluation`` prints them.

Imports `data` and `network`.
"""
