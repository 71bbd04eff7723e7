"""MedMNIST as published -> records: one .npz with images and labels of three splits."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from pydantic import Field, ValidationError

from jomed_app.data.fetch.catalogue import PublicSet
from jomed_app.data.fetch.layouts.written import IMAGES, Written, finish_records
from jomed_app.data.fetch.unpack import Published
from jomed_app.data.records import CaseRecord
from jomed_app.data.sources.retina import fundus_passage
from jomed_app.errors import ConfigError, FetchError, first_fault
from jomed_app.types import Frozen

SPLITS = ("train", "val", "test")


class MedMnistSettings(Frozen):
    """What the layout needs to know of a set.

    Attributes:
        labels: label of class 0, 1 ...
        passage: what is written about every image; empty measures a fundus image's pixels.
    """

    labels: tuple[str, ...] = Field(min_length=2)
    passage: str = ""


def write_medmnist(found: Published, out: Path, described: PublicSet) -> Written:
    """Write a set of MedMNIST: arrays `train_images`, `train_labels` and so on.

    Source: MedMNIST v2, arXiv:2110.14795; sizes up to 224 px by MedMNIST+.
    Ours: images are written as PNG. The sets have no reports.

    Raises:
        FetchError: if the file is none of MedMNIST.
        ConfigError: if the description lacks what the layout needs.
    """
    from PIL.Image import fromarray

    try:
        settings = MedMnistSettings.model_validate(described.settings)
    except ValidationError as error:
        raise ConfigError(
            f"the layout medmnist requires the set's labels: {first_fault(error, 'settings')}"
        ) from error
    path = found.one(f"{described.name}*.npz", "*.npz")
    (out / IMAGES).mkdir(parents=True, exist_ok=True)
    records = []
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for split in SPLITS:
                images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"].reshape(-1)
                for place, (image, label) in enumerate(zip(images, labels, strict=True)):
                    case_id = f"{described.name}-{split}-{place:05d}"
                    fromarray(image).save(out / IMAGES / f"{case_id}.png")
                    records.append(
                        CaseRecord(
                            case_id=case_id,
                            image=f"{IMAGES}/{case_id}.png",
                            label=settings.labels[int(label)],
                            passage=settings.passage or fundus_passage(image),
                            split=split,
                            rows=image.shape[0],
                            columns=image.shape[1],
                            provenance={
                                "source": described.title,
                                "licence": described.licence,
                                "label_made": "class of the source set; not reviewed by us",
                            },
                        )
                    )
    except (KeyError, IndexError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile,
            zlib.error) as error:  # fmt: skip
        raise FetchError(
            f"'{path.name}' must hold images and labels of {', '.join(SPLITS)} as MedMNIST "
            "publishes them, found something else; fetch it again"
        ) from error
    return finish_records(out, records, Written())
