"""Which library decodes which transfer syntax: one each, whatever else happens to be installed.

pydicom tries its plugins in alphabetical order, which would hand JPEG, JPEG-LS and JPEG 2000 to
GDCM, too. GDCM is C++ of its own age, so it decodes what no other library here does: lossless JPEG
and the 12-bit frames of JPEG Extended (ADR 0021).
"""

from __future__ import annotations

from contextlib import suppress

from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from jomed_app.errors import DicomError

_GDCM = "gdcm_jpeg"  # our plugin
_PLUGINS = {
    RLELossless: "pylibjpeg",
    JPEGBaseline8Bit: "pillow",
    JPEGExtended12Bit: "pillow",  # its 8-bit frames
    JPEGLossless: _GDCM,
    JPEGLosslessSV1: _GDCM,
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2KLosslessRPCL: "pylibjpeg",
    HTJ2K: "pylibjpeg",
}
_PACKAGES = {
    _GDCM: "python-gdcm",
    "pylibjpeg": "pylibjpeg-openjpeg and pylibjpeg-rle",
}


def choose_decoder(syntax: UID, name: str, bits_stored: int) -> str:
    """Return pydicom's name of the plugin that decodes a syntax, empty for uncompressed pixels.

    Args:
        syntax: (0002,0010).
        name: the syntax in words.
        bits_stored: (0028,0101); JPEG Extended above 8 bits has a decoder of its own.

    Raises:
        DicomError: if no decoder is known, or the known one is not installed.
    """
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        decoder = None
    plugin = _PLUGINS.get(syntax, "")
    if decoder is None or (syntax.is_encapsulated and not plugin):
        raise DicomError(
            f"a transfer syntax with a known decoder is required, found '{name}'; "
            "export the file uncompressed"
        )
    if syntax == JPEGExtended12Bit and bits_stored > 8:
        plugin = _GDCM
    if plugin == _GDCM:
        _make_known(decoder)
    if plugin and plugin not in decoder.available_plugins:
        raise DicomError(
            f"'{name}' needs a decoder that is not installed; install "
            f"{_PACKAGES.get(plugin, plugin)}, or export the file uncompressed"
        )
    return plugin


def _make_known(decoder: Decoder) -> None:
    """Tell pydicom of our plugin, once."""
    if _GDCM not in decoder.available_plugins:
        with suppress(ImportError):  # then it stays unavailable, and that is said
            decoder.add_plugin(_GDCM, ("jomed_app.imaging.dicom.gdcm_jpeg", "decode_frame"))
