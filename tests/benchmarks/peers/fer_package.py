"""Does as ours.py with the package `fer`; the word "mtcnn" lets MTCNN find the faces, not Haar."""

import json
import sys
import time

import numpy as np

mtcnn = "mtcnn" in sys.argv
if mtcnn:
    import facenet_pytorch  # noqa: F401  # PyTorch's triton crashes once TensorFlow is imported

from fer.fer import FER  # noqa: E402

recognizer = FER(mtcnn=mtcnn)
for line in sys.stdin:
    scene = json.loads(line)
    pixels = np.fromfile(scene["path"], np.uint8).reshape(scene["height"], scene["width"], 3)
    pixels = np.ascontiguousarray(pixels[:, :, ::-1])  # BGR
    start_s = time.perf_counter()
    faces = recognizer.detect_emotions(pixels)
    taken_ms = 1000 * (time.perf_counter() - start_s)
    print(json.dumps({"ms": taken_ms, "faces": len(faces)}), flush=True)
