"""The sound of a video, taken along into the video made of it."""

import math

import av

# What may stand in an MP4 and is played by browsers.
_COPIED_CODECS = frozenset({"aac", "flac", "mp3", "opus"})
_AAC_RATES = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


class SoundTrack:
    """The sound in an MP4: copied as it is where browsers can play that, else encoded as AAC.

    Packets that are damaged, or go back in time, are left out.

    Parameters
    ----------
    container : av.container.OutputContainer
        The MP4, before anything was written to it.
    source : av.AudioStream
        The stream from which the packets will come.
    """

    def __init__(self, container: av.container.OutputContainer, source: av.AudioStream) -> None:
        self._container = container
        self._copied = source.codec_context.name.removesuffix("float") in _COPIED_CODECS
        self._last_dts = -math.inf
        if self._copied:
            self._stream = container.add_stream_from_template(source)
        else:
            self._stream = container.add_stream("aac", rate=_nearest_rate(source.sample_rate))
            self._stream.layout = "mono" if source.channels == 1 else "stereo"

    def decode(self, packet: av.Packet) -> list[av.AudioFrame] | None:
        """Return what a packet holds; None if it is to be left out.

        Call it on the thread that decodes the video: PyAV mixes up the frames of two threads.
        """
        if packet.dts <= self._last_dts:
            return None
        self._last_dts = packet.dts
        try:
            return packet.decode()
        except av.FFmpegError:
            return None  # a browser would stop here

    def write(self, packet: av.Packet, frames: list[av.AudioFrame]) -> None:
        """Take over a packet of the source, timed from the video's start, and what it holds."""
        if self._copied:
            packet.stream = self._stream
            self._container.mux(packet)
        else:
            for frame in frames:
                self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if not self._copied:
            self._container.mux(self._stream.encode(None))


def _nearest_rate(rate: int) -> int:
    return min(_AAC_RATES, key=lambda known: abs(known - rate))
