"""The scripts and styles that the widgets send to the browser."""

from pathlib import Path

_STATIC = Path(__file__).parent / "static"


def joined(*names: str) -> str:
    """Return files of ``static`` as one: a widget's script can import no other from there."""
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in names)
