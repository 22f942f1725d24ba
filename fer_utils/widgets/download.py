"""A file that was made, named and linked below a notebook's cell, to be downloaded."""

import base64
import mimetypes
from html import escape
from pathlib import Path

from tqdm import tqdm

# What a link carries is saved with the notebook.
_MOST_BYTES = 20_000_000


class Download:
    """What `download` returns; notebooks show it as a link."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"{self.path} ({_size(self.path)})"

    def _repr_html_(self) -> str:
        text = escape(f"{self.path.name} ({_size(self.path)})")
        where = f"<code>{escape(str(self.path))}</code>"
        if self.path.stat().st_size > _MOST_BYTES:
            return f"{text}: too large for a link, it lies at {where}"
        kind = mimetypes.guess_type(self.path.name)[0] or "application/octet-stream"
        data = base64.b64encode(self.path.read_bytes()).decode()
        name = escape(self.path.name, quote=True)
        link = f'<a download="{name}" href="data:{kind};base64,{data}">Download {text}</a>'
        return f"{link}, also at {where}"


def download(path: str | Path) -> Download:
    """Link a file, so that it can be downloaded from JupyterLab and from Colab.

    The link holds the file itself, and no server is asked; it is saved with the notebook. Of a
    file of more than 20 MB only the path is shown.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Download
        Leave it as a cell's last line.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is a folder.
    TypeError
        If `path` is no path.

    Examples
    --------
    >>> fer.download("LICENSE").path.name
    'LICENSE'
    """
    if not isinstance(path, str | Path):
        raise TypeError(f"path must name a file, got {type(path).__name__}.")
    file = Path(path)
    if file.is_dir():
        raise ValueError(f"path must name a file, {str(path)!r} is a folder; zip it first.")
    if not file.is_file():
        raise FileNotFoundError(f"path must name a file, there is none at {str(path)!r}.")
    return Download(file)


def _size(path: Path) -> str:
    return f"{tqdm.format_sizeof(path.stat().st_size)}B"
