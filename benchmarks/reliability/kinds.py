"""Count what is asked about: colour bars, photographs, other scans, inverted ultrasound, upright.

Run: python -m benchmarks.reliability.kinds --data DIR
Writes docs/results/reliability/kinds.json: counts, never an image. The bundle's domain check is
asked where the picture's content asks nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression

from benchmarks.reliability.drawn import photographs, test_patterns
from benchmarks.reliability.records import FOLDER, keep
from jomed_app.cli.artifacts import DEFAULT_BUNDLE, DEFAULT_INDEX
from jomed_app.data.corpus import load_corpus
from jomed_app.data.tasks import load_task
from jomed_app.errors import JomedError
from jomed_app.imaging import read_image
from jomed_app.imaging.content.look import look
from jomed_app.imaging.content.polarity import fall_with_depth, grain_growth
from jomed_app.inference.checks import asking, content_checks, domain_check, with_checks
from jomed_app.inference.engine import Engine
from jomed_app.inference.load import load_engine
from jomed_app.types import ImageRecord, InputInfo

EXAMPLES = DEFAULT_BUNDLE.parent / "examples"
PHOTOGRAPHS = ("kvasir_seg", "ham10000")
OTHER_SCANS = ("medpix2", "slake", "vqa_rad")
Gray = NDArray[np.uint8]
# What a picture may have gone through before it is uploaded; each is measured upright and inverted.
VARIANTS: dict[str, Callable[[Gray], Gray]] = {
    "as it is": lambda gray: gray,
    "gamma 0.5": lambda gray: (255 * (gray / 255) ** 0.5).astype(np.uint8),
    "gamma 2": lambda gray: (255 * (gray / 255) ** 2).astype(np.uint8),
    "JPEG of quality 40": lambda gray: _as_jpeg(gray, 40),
    "a third of the size": lambda gray: gray[::3, ::3],
    "middle half": lambda gray: _middle(gray),
    "on a white page": lambda gray: np.pad(gray, 80, constant_values=255),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Count and write the report."""
    chosen = _parse(arguments)
    engine = load_engine(chosen.bundle, chosen.index)
    rng = np.random.default_rng(chosen.seed)
    count: int = chosen.count
    scans = list(_busi(chosen.data))
    some = [scans[place] for place in rng.permutation(len(scans))[:count]]
    simulated = [engine.index.image(name)[:, :, 0] for name in sorted(engine.index.ids)]
    sets: dict[str, Iterable[bytes]] = {
        "colour bars of pydicom": _pydicom("SC_*.dcm"),
        "every picture of pydicom": _pydicom("*"),
        "test patterns, drawn": map(_png, test_patterns()),
        "photographs, drawn": map(_png, photographs(200, chosen.seed)),
        "photographs, retinamnist28": _table(chosen.data, "retinamnist28", "png", count, rng),
        **{f"photographs, {name}": _files(chosen.data, name, count, rng) for name in PHOTOGRAPHS},
        **{f"other scans, {name}": _files(chosen.data, name, count, rng) for name in OTHER_SCANS},
        "BUSI, inverted": (_png(255 - gray) for gray in some),
        "BUSI, upright": map(_png, some),
        "simulated, inverted": (_png(255 - gray) for gray in simulated[:count]),
        "simulated, upright": map(_png, simulated[:count]),
        "shipped examples": (path.read_bytes() for path in sorted(EXAMPLES.glob("*.png"))),
    }
    report = {
        "bundle": engine.info.bundle,
        "index": engine.info.index,
        "seed": chosen.seed,
        "sets": {name: _said(name, count_asked(engine, files)) for name, files in sets.items()},
        "polarity": {
            "fit_on_simulated": fit(simulated),
            "variants": {name: errors(map(change, scans)) for name, change in VARIANTS.items()},
        },
        "look_ms": look_time(scans),
    }
    keep("kinds", report, chosen.out)
    return 0


def count_asked(engine: Engine, files: Iterable[bytes]) -> dict[str, Any]:
    """How many files are answered, asked about by which checks, and not read at all.

    Args:
        engine: names the task and holds the domain check.
        files: each the bytes of one.
    """
    counts: Counter[str] = Counter(answered=0, asked=0, asked_by_content=0, not_a_picture=0)
    checks: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for data in files:
        try:
            image = read_image(data)
        except JomedError:
            counts["not_a_picture"] += 1
            continue
        info = with_checks(image.info, content_checks(engine.task, image))
        counts["asked_by_content"] += bool(asking(info))
        if not asking(info):
            info = _with_domain(engine, image, info)
        stops = any(check.name == "contrast" and not check.passed for check in info.checks)
        asks = asking(info)
        counts["asked" if asks or stops else "answered"] += 1
        checks.update(asks or ("contrast",) * stops)
        if not asks:
            failed.update(check.name for check in info.checks if not check.passed)
    return {**counts, "asked_by": dict(checks), "warned_of_when_answered": dict(failed)}


def _with_domain(engine: Engine, image: ImageRecord, info: InputInfo) -> InputInfo:
    """Add the bundle's domain check."""
    assert engine.domain is not None, "the embedded bundle has one"
    query = engine.reader.encode([image.model_input])[0]
    features = engine.retriever.features(engine.retriever.look(image.model_input, query))[0]
    least = engine.profile.settings.domain_probability
    return with_checks(info, (domain_check(engine.domain, features, least),))


def fit(pictures: Sequence[Gray]) -> dict[str, float]:
    """Weights of the two facts in a logistic fit that tells upright from inverted ones.

    Args:
        pictures: upright, (rows, columns).
    """
    upright = np.array([[grain_growth(each), fall_with_depth(each)] for each in pictures])
    model = LogisticRegression(C=1e4, fit_intercept=False)
    model.fit(np.vstack([upright, -upright]), np.repeat([1, 0], len(upright)))
    growth, fall = model.coef_[0]
    return {"grain_growth": round(float(growth), 2), "fall_with_depth": round(float(fall), 2)}


def errors(pictures: Iterable[Gray]) -> dict[str, float]:
    """False alarms on upright pictures and misses on their inverted copies; the least margin.

    Args:
        pictures: upright, (rows, columns).
    """
    alarms, misses, untold, total, least = 0, 0, 0, 0, np.inf
    for gray in pictures:
        total += 1
        upright, inverted = (
            look(np.repeat(each[:, :, None], 3, axis=2), is_gray=True).uprightness
            for each in (gray, 255 - gray)
        )
        if upright is None or inverted is None:
            untold += 1
            continue
        alarms += upright < 0
        misses += inverted >= 0
        least = min(least, upright)
    return {
        "images": total,
        "false_alarms": alarms,
        "inverted_missed": misses,
        "too_small": untold,
        "least_uprightness": round(float(least), 3),
    }


def look_time(pictures: Sequence[Gray]) -> dict[str, float]:
    """Milliseconds of one look, median and 95th percentile."""
    spent = []
    for gray in pictures:
        rgb = np.repeat(gray[:, :, None], 3, axis=2)
        start = time.perf_counter()
        look(rgb, is_gray=True)
        spent.append(1000 * (time.perf_counter() - start))
    median, late = np.percentile(spent, [50, 95])
    return {"p50": round(float(median), 2), "p95": round(float(late), 2)}


def _said(name: str, counts: dict[str, Any]) -> dict[str, Any]:
    """Say on the terminal what was counted, and return it."""
    sys.stderr.write(f"{name}: {counts}\n")
    return counts


def _busi(data: Path) -> Iterator[Gray]:
    """Real breast ultrasound, gray."""
    folder, records = load_corpus(load_task("breast"), data, ("train", "val"))
    for record in records:
        with Image.open(folder / record.image) as image:
            yield np.asarray(image.convert("L"))


def _files(data: Path, name: str, count: int, rng: np.random.Generator) -> Iterator[bytes]:
    """Bytes of some images of a set, drawn without repeats."""
    paths = sorted(path for path in (data / name / "images").rglob("*") if path.is_file())
    for place in rng.permutation(len(paths))[:count]:
        yield paths[place].read_bytes()


def _table(
    data: Path, name: str, column: str, count: int, rng: np.random.Generator
) -> Iterator[bytes]:
    """The same of images that lie in a column of the set's table."""
    table = pd.read_parquet(data / name / f"{name}.parquet", columns=[column])
    for place in rng.permutation(len(table))[:count]:
        yield table[column].iloc[place]


def _pydicom(pattern: str) -> Iterator[bytes]:
    """Bytes of the files that ship inside pydicom."""
    from pydicom.data import get_testdata_file

    folder = Path(str(get_testdata_file("CT_small.dcm"))).parent
    for path in sorted(folder.rglob(pattern)):
        if path.is_file() and path.suffix != ".py":
            yield path.read_bytes()


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def _as_jpeg(gray: Gray, quality: int) -> Gray:
    buffer = BytesIO()
    Image.fromarray(gray).save(buffer, format="JPEG", quality=quality)
    with Image.open(buffer) as image:
        return np.asarray(image)


def _middle(gray: Gray) -> Gray:
    rows, columns = gray.shape
    return gray[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--count", type=int, default=200, help="images of every other set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE)
    parser.add_argument("--index", type=Path, default=DEFAULT_INDEX)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the record")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
