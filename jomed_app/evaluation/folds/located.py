"""What a fold's localizer says of its held-out cases, from their images."""

from __future__ import annotations

from pathlib import Path

from jomed_app.data.corpus import load_corpus
from jomed_app.imaging.annotations import mask_annotations
from jomed_app.models.localizer.detection import Detection
from jomed_app.models.localizer.localizer import load_localizer
from jomed_app.models.pixels import Letterbox
from jomed_app.training.cases.image_set import load_images
from jomed_app.training.cases.table import ReaderTable
from jomed_app.training.localizer.stage import frozen_tower
from jomed_app.training.run.workspace import Workspace

BATCH_SIZE = 16


def find_held_out(
    work: Workspace, name: str, table: ReaderTable, fold: int, is_masked: bool
) -> dict[int, tuple[Detection, Letterbox]]:
    """Look at the images of a fold's held-out cases, on the localizer's own input size.

    Args:
        work: the run.
        name: of the localizer.
        table: the run's cases.
        fold: held out.
        is_masked: whether annotations in the image are masked first.

    Returns:
        Row of the table -> what was found, and how the image lay in the square.
    """
    localizer = load_localizer(work.chosen_localizer(name), tower=frozen_tower(work))
    side = localizer.config.image_size
    data = Path(work.config.train_reader.data)
    folder, _ = load_corpus(work.task, data, ("train", "val"))
    found: dict[int, tuple[Detection, Letterbox]] = {}
    rows = table.held_out_rows(fold).tolist()
    for start in range(0, len(rows), BATCH_SIZE):
        batch = rows[start : start + BATCH_SIZE]
        records = [table.records[row] for row in batch]
        squares = load_images(folder, records, side).squares
        if is_masked:
            squares = [mask_annotations(each) for each in squares]
        for row, record, said in zip(batch, records, localizer.find(squares), strict=True):
            found[row] = said, Letterbox(record.rows, record.columns, side)
    return found
