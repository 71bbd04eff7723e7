"""One decoder a transfer syntax, whatever else is installed, and none that a folder can break."""

import subprocess
import sys

import pytest
from pydicom.pixels.decoders import base
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
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
from jomed_app.imaging.dicom.decoders import choose_decoder


@pytest.mark.parametrize(
    ("syntax", "bits", "plugin"),
    [
        (ExplicitVRLittleEndian, 16, ""),
        (RLELossless, 16, "pylibjpeg"),
        (JPEGBaseline8Bit, 8, "pillow"),
        (JPEGExtended12Bit, 8, "pillow"),
        (JPEGExtended12Bit, 12, "gdcm_jpeg"),
        (JPEGLossless, 16, "gdcm_jpeg"),
        (JPEGLosslessSV1, 16, "gdcm_jpeg"),
        (JPEGLSLossless, 16, "pyjpegls"),
        (JPEGLSNearLossless, 16, "pyjpegls"),
        (JPEG2000Lossless, 16, "pylibjpeg"),
        (JPEG2000, 16, "pylibjpeg"),
        (HTJ2KLossless, 16, "pylibjpeg"),
        (HTJ2KLosslessRPCL, 16, "pylibjpeg"),
        (HTJ2K, 16, "pylibjpeg"),
    ],
)
def test_a_syntax_has_one_decoder_and_it_is_installed(syntax, bits, plugin):
    assert choose_decoder(syntax, syntax.name, bits) == plugin


@pytest.mark.parametrize(
    ("syntax", "bits", "package"),
    [
        (JPEGLosslessSV1, 16, "python-gdcm"),
        (JPEGExtended12Bit, 12, "python-gdcm"),
        (JPEG2000, 16, "pylibjpeg-openjpeg"),
        (JPEGLSLossless, 8, "pyjpegls"),
    ],
)
def test_a_missing_decoder_names_what_to_install(monkeypatch, syntax, bits, package):
    monkeypatch.setattr(base.get_decoder(syntax), "_available", {})
    monkeypatch.setitem(sys.modules, "gdcm", None)
    monkeypatch.delitem(sys.modules, "jomed_app.imaging.dicom.gdcm_jpeg", raising=False)
    with pytest.raises(DicomError, match=f"'it' needs a decoder .* install {package}"):
        choose_decoder(syntax, "it", bits)


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.4.94", "1.2.3.4"])
def test_an_unknown_syntax_is_refused(uid):
    with pytest.raises(DicomError, match="with a known decoder is required, found 'it'"):
        choose_decoder(UID(uid), "it", 8)


def test_a_folder_named_dl_breaks_nothing(tmp_path):
    (tmp_path / "dl").mkdir()
    script = tmp_path / "script.py"
    code = "import jomed_app.imaging.dicom.decoders, gdcm; print(gdcm.Version.GetVersion())"
    script.write_text(f"import sys; sys.path += {sys.path!r}\n{code}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.stdout.startswith("3."), done.stderr[-500:]
