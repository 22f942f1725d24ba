"""Facial emotion recognition: from FER2013 to a recognised face.

- `data`: data sets read, rid of copies, balanced, with the opinions of several people;
- `network`: the networks, built by Keras or computed by OpenVINO, and their vote;
- `training`: how a network learns; ``python -m fer_utils.training``;
- `evaluation`: how good it is, and how sure; ``python -m fer_utils.evaluation``;
- `faces`: where the faces are in a picture, and what is cut out of it;
- `recognition`: from a picture, or a folder of them, to faces with emotions;
- `video`: the same for videos and webcams, where faces are followed;
- `widgets`: what notebooks show in the browser;
- `plots`: the charts;
- `bulk`: pictures and videos without number, here or on many machines;
  ``python -m fer_utils.bulk``;
- `lab`: what evaluation.ipynb calls to look inside.

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

__version__ = "0.2.0"

_MODULE_OF = {
    "EMOTIONS": "emotions",
    "EMOTION_COLORS": "emotions",
    "UNSURE": "emotions",
    "load_image": "images",
    "FerDataset": "data.dataset",
    "Split": "data.dataset",
    "drop_duplicates": "data.duplicates",
    "find_duplicates": "data.duplicates",
    "load_dataset": "data.dataset",
    "oversample": "data.oversampling",
    "SoftVote": "network.vote",
    "build_vgg": "network.vgg",
    "FaceBox": "faces.boxes",
    "FaceDetector": "faces.detector",
    "crop_face": "faces.crop",
    "train": "training.loop",
    "evaluate": "evaluation.metrics",
    "EmotionRecognizer": "recognition.recognizer",
    "FaceEmotion": "recognition.recognizer",
    "FaceList": "recognition.recognizer",
    "recognize_folder": "recognition.folder",
    "recognize_many": "bulk.many",
    "check_setup": "recognition.setup_check",
    "to_frame": "recognition.tables",
    "DrawnPicture": "recognition.drawing",
    "draw_faces": "recognition.drawing",
    "RecognizedPicture": "recognition.show",
    "ShortView": "recognition.short_view",
    "export_vote": "recognition.export",
    "short_view": "recognition.short_view",
    "show": "recognition.show",
    "PictureInput": "widgets.picture_input",
    "download": "widgets.download",
    "EmotionStream": "video.stream",
    "TrackedFace": "video.stream",
    "VideoFrame": "video.frames",
    "read_video": "video.reader",
    "recognize_video": "video.recognize",
    "write_video": "video.writer",
    "explore": "widgets.explore",
    "webcam": "widgets.live_webcam",
    "plot_architecture": "plots.training",
    "plot_confusion": "plots.evaluation",
    "plot_coverage": "plots.evaluation",
    "plot_distribution": "plots.data",
    "plot_history": "plots.training",
    "plot_predictions": "plots.evaluation",
    "plot_probabilities": "plots.faces",
    "plot_reliability": "plots.evaluation",
    "plot_samples": "plots.data",
    "plot_timeline": "plots.faces",
    "plot_variants": "plots.data",
}

__all__ = sorted([*_MODULE_OF, "__version__"])


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
