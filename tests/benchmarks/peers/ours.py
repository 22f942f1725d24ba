"""Recognises the scenes that bench_peers.py names on standard input, with the installed fer_utils.

A line {"path", "width", "height"} names raw RGB pixels; the answer is a line {"ms", "faces"}. A
line {"video", "output"} names a video, which is drawn on and written; its answer counts for a
frame.
"""

import json
import sys
import time

import numpy as np

from fer_utils import EmotionRecognizer, recognize_video

recognizer = EmotionRecognizer.load()


def recognize_pixels(path: str, width: int, height: int) -> dict[str, float]:
    pixels = np.fromfile(path, np.uint8).reshape(height, width, 3)
    start_s = time.perf_counter()
    faces = recognizer.recognize(pixels)
    return {"ms": 1000 * (time.perf_counter() - start_s), "faces": len(faces)}


def recognize_frames(video: str, output: str) -> dict[str, float]:
    start_s = time.perf_counter()
    table = recognize_video(video, output, recognizer=recognizer, progress=False)
    frames = table["frame"].nunique()  # of which each shows a face
    return {
        "ms": 1000 * (time.perf_counter() - start_s) / frames,
        "faces": round(len(table) / frames),
    }


for line in sys.stdin:
    scene = json.loads(line)
    answer = recognize_frames(**scene) if "video" in scene else recognize_pixels(**scene)
    print(json.dumps(answer), flush=True)
