"""Where the project keeps the files it ships."""

from pathlib import Path

SAVED_MODELS = Path(__file__).resolve().parents[1] / "saved_models"
