"""Imaging: the bytes of a DICOM, PNG, JPEG or TIFF file in, an `ImageRecord` out."""

from __future__ import annotations

from jomed_app.imaging.content.turned_over import turned_over as turned_over
from jomed_app.imaging.read import read_image as read_image

__all__ = ["read_image", "turned_over"]
