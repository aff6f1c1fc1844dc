"""Ogg Vorbis through libsndfile: FFmpeg's own encoder of it is experimental."""

from contextlib import suppress
from typing import Final

import numpy as np
import soundfile

from concertclean.audio_io.containers import Encoding, ogg_comments
from concertclean.audio_io.formats import VORBIS_ORDER
from concertclean.audio_io.guarded import GuardedFile, TemporaryOutput
from concertclean.audio_io.ogg import retag

# Nominal bit/s of a stereo pair at the qualities 0, 0.1 ... 1, as libvorbis states them for 44.1 kHz.
_VORBIS_BIT_RATES: Final = [64e3, 80e3, 96e3, 112e3, 128e3, 160e3, 192e3, 224e3, 256e3, 320e3, 500e3]
_VORBIS_BLOCK: Final = 4096


class VorbisEncoder:
    """Encoder of Ogg Vorbis: libsndfile writes a temporary file, which is copied to its place with the tags.

    Args:
        file: searchable, empty.
        encoding: what to write.
    """

    def __init__(self, file: GuardedFile, encoding: Encoding) -> None:
        self._file = file
        self._encoding = encoding
        self._order = VORBIS_ORDER[encoding.layout]
        self._pending = np.zeros((0, encoding.channels), dtype=np.float32)
        qualities = np.linspace(0.0, 1.0, len(_VORBIS_BIT_RATES))
        quality = float(np.interp(2 * encoding.bit_rate / encoding.channels, _VORBIS_BIT_RATES, qualities))
        self._bare = TemporaryOutput()
        self._sound = soundfile.SoundFile(
            self._bare,
            "w",
            encoding.sample_rate,
            encoding.channels,
            format="OGG",
            subtype="VORBIS",
            compression_level=1.0 - quality,
        )

    def write(self, waveform: np.ndarray) -> None:
        """Encode `(channel, time)`, finite."""
        # libvorbis keeps a block on the stack, which long ones overflow, and its decisions depend on the size
        # of the blocks: equal ones make equal files of equal samples.
        samples = np.concatenate([self._pending, waveform[self._order].T.astype(np.float32)])
        n_whole = len(samples) // _VORBIS_BLOCK * _VORBIS_BLOCK
        for start in range(0, n_whole, _VORBIS_BLOCK):
            self._sound.write(samples[start : start + _VORBIS_BLOCK])
        self._pending = samples[n_whole:]
        self._bare.check()

    def finish(self) -> None:
        """Complete the file."""
        self._sound.write(self._pending)
        self._sound.close()
        self._bare.check()
        self._bare.seek(0)
        retag(self._bare, self._file, ogg_comments(self._encoding))
        self._bare.close()

    def abort(self) -> None:
        """Give back memory; the file is worthless."""
        with suppress(soundfile.LibsndfileError, OSError, ValueError):
            self._sound.close()
        self._bare.close()
