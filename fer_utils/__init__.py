"""Facial emotion recognition: from FER2013 to a recognised face.

Every public name is imported on its first use, so that ``import fer_utils`` stays quick:
tensorflow and mediapipe take seconds to load and are needed only by some of the names.
"""

import importlib
import os

# TensorFlow reads this once, when it is imported. It leaves its oneDNN kernels off on AMD
# processors, where they train this network about twice as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Its notices on the machine would be the first thing a reader of the notebooks sees.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"

_MODULE_OF = {
    "EMOTIONS": "emotions",
    "EMOTION_COLORS": "emotions",
    "UNSURE": "emotions",
    "load_image": "images",
    "FerDataset": "data",
    "Split": "data",
    "drop_duplicates": "data",
    "find_duplicates": "data",
    "load_dataset": "data",
    "oversample": "balance",
    "SoftVote": "vote",
    "build_vgg": "models",
    "FaceBox": "faces",
    "FaceDetector": "detector",
    "crop_face": "faces",
    "train": "training",
    "evaluate": "evaluation",
    "EmotionRecognizer": "recognition",
    "FaceEmotion": "recognition",
    "recognize_folder": "folder",
    "check_setup": "setup_check",
    "to_frame": "tables",
    "draw_faces": "drawing",
    "PictureInput": "picture_input",
    "EmotionStream": "stream",
    "TrackedFace": "stream",
    "VideoFrame": "video_reader",
    "read_video": "video_reader",
    "recognize_video": "video",
    "write_video": "video_writer",
    "webcam": "live_webcam",
    "plot_architecture": "architecture_plot",
    "plot_confusion": "plots",
    "plot_coverage": "calibration_plots",
    "plot_distribution": "data_plots",
    "plot_history": "plots",
    "plot_probabilities": "plots",
    "plot_reliability": "calibration_plots",
    "plot_samples": "data_plots",
    "plot_timeline": "timeline_plot",
}

__all__ = sorted([*_MODULE_OF, "__version__"])


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
