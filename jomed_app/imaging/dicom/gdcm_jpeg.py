"""Decodes lossless JPEG and the 12-bit frames of JPEG Extended with GDCM, as a plugin of pydicom.

Ours, not pydicom's own GDCM plugin: that one refuses 12 bits, which GDCM decodes once it is told
the precision, and hands frames on as they are, while GDCM ends the process at the first warning
over a frame's head. Values equal DCMTK's (docs/dicom_conformance.md).
"""

from __future__ import annotations

import gdcm
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

from jomed_app.imaging.codestream import bare_jpeg, read_codestream_header

DECODER_DEPENDENCIES = dict.fromkeys(  # what pydicom asks a plugin for
    (JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1), ("gdcm>=3.2",)
)


def is_available(uid: str) -> bool:
    """Return whether the plugin decodes a transfer syntax."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(frame: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame.

    Args:
        frame: a JPEG codestream of 2 to 16 bits a sample.
        runner: pydicom's description of the pixels.

    Returns:
        Samples of 8 or 16 bits as allocated, little endian, color by pixel.

    Raises:
        ValueError: if the frame is damaged, or has other components than the data set says.
    """
    header, frame = read_codestream_header(frame), bare_jpeg(frame)
    if header is None or header.components != runner.samples_per_pixel:
        raise ValueError("the frame's components must be the samples per pixel")
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(runner.photometric_interpretation)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    if runner.samples_per_pixel > 1:
        image.SetPlanarConfiguration(0)
        runner.set_option("planar_configuration", 0)
    syntax = gdcm.TransferSyntax.GetTSType(str(runner.transfer_syntax))
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    bits = runner.bits_stored
    image.SetPixelFormat(
        gdcm.PixelFormat(
            runner.samples_per_pixel,
            runner.bits_allocated,
            bits,
            bits - 1,
            runner.pixel_representation,
        )
    )
    # GDCM says in C++ on stderr what it makes of a frame.
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    decoded: str | None = image.GetBuffer()
    if decoded is None:
        raise ValueError("the frame does not decode")
    return decoded.encode("utf-8", "surrogateescape")  # GDCM hands bytes out as text
