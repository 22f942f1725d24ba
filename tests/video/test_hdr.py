from fractions import Fraction

import av
import numpy as np
import pytest

from fer_utils.video.hdr import HLG, PQ, hdr_to_sdr
from fer_utils.video.reader import read_video
from tests.helpers.heic import X265

WHITE_CD_M2 = 203
LEVELS = np.array([0, 16, 32, 64, 96, 128, 160, 192, 223])


def light_of(srgb: np.ndarray) -> np.ndarray:
    share = srgb / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def code_of(cd_m2: np.ndarray, transfer: int) -> np.ndarray:
    """Return what a camera writes for light: SMPTE ST 2084, or HLG for a screen of 1000 cd/m2."""
    if transfer == PQ:
        power = (cd_m2 / 10_000) ** (2610 / 16384)
        code = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    else:
        scene = (cd_m2 / 1000) ** (1 / 1.2)
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        bright = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
        code = np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)
    return np.rint(65535 * code).astype(np.uint16)


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("wide_gamut", [True, False])
def test_greys_come_out_as_they_look(transfer, wide_gamut):
    codes = code_of(WHITE_CD_M2 * light_of(LEVELS), transfer)
    shown = hdr_to_sdr(np.repeat(codes[None, :, None], 3, axis=2), transfer, wide_gamut)
    np.testing.assert_allclose(shown, np.broadcast_to(LEVELS[:, None], (1, 9, 3)), atol=1)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_lights_above_white_stay_apart(transfer):
    codes = code_of(np.array([100.0, 203, 400, 700, 1000]), transfer)
    shown = hdr_to_sdr(np.repeat(codes[None, :, None], 3, axis=2), transfer, True)[0, :, 0]
    assert np.diff(shown.astype(int)).min() >= 1
    assert shown[-1] == 255


def test_colors_of_the_wide_gamut_are_brought_into_the_usual_one():
    # BT.709's pure red, half as bright as white, as BT.2020 mixes it.
    red = WHITE_CD_M2 / 2 * np.array([[[0.6274, 0.0691, 0.0164]]])
    shown = hdr_to_sdr(code_of(red, PQ), PQ, True)
    np.testing.assert_allclose(shown, [[[188, 0, 0]]], atol=3)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_video_is_read_as_it_looks(tmp_path, transfer):
    codes = code_of(WHITE_CD_M2 * light_of(LEVELS), transfer)
    image = np.repeat(np.broadcast_to(codes[:, None], (48, 9, 3)), 16, axis=1)
    path = tmp_path / "hdr.mp4"
    with av.open(str(path), "w") as container:
        options = {"crf": "4", "x265-params": X265}
        stream = container.add_stream("libx265", rate=10, width=144, height=48, options=options)
        stream.pix_fmt, stream.color_trc = "yuv420p10le", transfer
        stream.color_primaries = stream.colorspace = 9
        frame = av.VideoFrame.from_ndarray(image, format="rgb48le")
        frame = frame.reformat(format="yuv420p10le", dst_colorspace=9, dst_color_range=1)
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (frame,) = read_video(path)
    np.testing.assert_allclose(frame.image[24, 8::16], np.repeat(LEVELS[:, None], 3, 1), atol=2)
