"""HDR video, by PQ or HLG, shown as on a usual screen."""

from functools import cache

import numpy as np

PQ, HLG = 16, 18  # transfer curves, as ITU-T H.273 numbers them
# Linear BT.2020 to BT.709, ITU-R BT.2407.
_TO_BT709 = (
    (1.6605, -0.5876, -0.0728),
    (-0.1246, 1.1329, -0.0083),
    (-0.0182, -0.1006, 1.1187),
)
# ITU-R BT.2408: how bright white paper is in HDR, and the screen that HLG is meant for, in cd/m2.
_WHITE, _HLG_PEAK = 203.0, 1000.0
# Up to this share of white all is shown as in SDR; brighter light, up to the peak, shares the rest.
_KNEE = 0.75
_LEVELS = 65536


def hdr_to_sdr(image: np.ndarray, transfer: int, wide_gamut: bool) -> np.ndarray:
    """Show HDR on a usual screen: white paper stays white, and lights above it are compressed.

    Parameters
    ----------
    image : numpy.ndarray
        uint16, shape (h, w, 3), RGB of the full range.
    transfer : int
        Its transfer curve, 16 (PQ) or 18 (HLG), of ITU-R BT.2100.
    wide_gamut : bool
        Whether its primaries are those of BT.2020; else BT.709's.

    Returns
    -------
    numpy.ndarray
        uint8, shape (h, w, 3), sRGB.
    """
    light = _light_of_code(transfer)
    red, green, blue = (light[image[..., channel]] for channel in range(3))
    code = _code_of_light()
    shown = np.empty(image.shape, np.uint8)
    for channel, (r, g, b) in enumerate(_TO_BT709):
        # A matrix product of three columns would take five times as long.
        plane = r * red + g * green + b * blue if wide_gamut else (red, green, blue)[channel]
        shown[..., channel] = code[(plane.clip(0, 1) * (_LEVELS - 1)).astype(np.uint16)]
    return shown


@cache
def _light_of_code(transfer: int) -> np.ndarray:
    """Return the light of each 16-bit code value, 0-1, tone-mapped; float32, shape (65536,)."""
    code = np.linspace(0, 1, _LEVELS)
    if transfer == PQ:
        root = code ** (32 / 2523)  # 1 / m2 of SMPTE ST 2084
        ratio = np.maximum(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root)
        shown = 10_000 * ratio ** (8192 / 1305)
    else:
        a = 0.17883277
        b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
        scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
        shown = _HLG_PEAK * scene**1.2  # the screen's own curve, here for each channel by itself
    return _compressed(shown / _WHITE).astype(np.float32)


def _compressed(light: np.ndarray) -> np.ndarray:
    """Leave light up to the knee as it is; bring what is above it, up to the peak, below 1."""
    above = np.clip((light - _KNEE) / (_HLG_PEAK / _WHITE - _KNEE), 0, 1)
    # Rises from the knee as steeply as the light itself: no edge is seen there.
    bend = 1 / ((_HLG_PEAK / _WHITE - _KNEE) / (1 - _KNEE) - 1)
    return np.where(
        light <= _KNEE, light, _KNEE + (1 - _KNEE) * above * (1 + bend) / (above + bend)
    )


@cache
def _code_of_light() -> np.ndarray:
    """Return sRGB's 8-bit code of light, IEC 61966-2-1; uint8, shape (65536,)."""
    light = np.linspace(0, 1, _LEVELS)
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * code).astype(np.uint8)
