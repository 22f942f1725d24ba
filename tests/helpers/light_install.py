"""What a light install lacks, kept from a process that could import it."""

import os
from pathlib import Path

from fer_utils.extras import TRAINING_PACKAGES


def light_environment(folder: Path, *paths: Path) -> dict[str, str]:
    """Return an environment in which Python finds nothing that the extra `training` brings.

    `folder` is to hold the file that sees to it; `paths` are looked up before all others.
    """
    missing = f"import sys\n\nsys.modules.update(dict.fromkeys({TRAINING_PACKAGES}))\n"
    (folder / "sitecustomize.py").write_text(missing)
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [*paths, folder]))}
