"""The networks: built by Keras or computed by OpenVINO, and their vote.

Imports the ground files only. TensorFlow must not load with a vote.
"""
