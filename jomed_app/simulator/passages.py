"""Report-like passages from descriptors, by rules; the diagnosis is never named.

A passage has at most 25 words. The extended passage words the same facts at greater length, keeps
every descriptor term and has at most twice as many words.
"""

from __future__ import annotations

import numpy as np

_PLAIN = (
    (
        "No focal mass. Skin, fat and fibroglandular layers are regular.",
        "No focal mass is seen in this view. Skin, fat and fibroglandular layers are regular "
        "and undisturbed.",
    ),
    (
        "Layered fat and fibroglandular tissue without a mass or shadowing.",
        "This view shows layered fat and fibroglandular tissue, without a mass or shadowing "
        "anywhere.",
    ),
    (
        "Fibroglandular tissue without focal lesion; no mass, no distortion.",
        "The fibroglandular tissue is imaged without focal lesion; no mass, no distortion of "
        "its layers.",
    ),
)
_POSTERIOR = {
    "none": "no posterior features",
    "enhancement": "posterior enhancement",
    "shadowing": "posterior shadowing",
    "combined": "combined posterior features",
}
_CALCIFICATIONS = {"absent": "no calcifications", "present": "calcifications present"}
_ECHO = {"complex": "complex cystic and solid"}


def write_passages(rng: np.random.Generator, descriptors: dict[str, str]) -> tuple[str, str]:
    """Word the findings.

    Args:
        rng: picks one of a few wordings.
        descriptors: all six descriptors, or {} when there is no mass.

    Returns:
        The passage (at most 25 words) and the extended passage (at most twice as many words).
    """
    if not descriptors:
        return _PLAIN[int(rng.integers(len(_PLAIN)))]
    shape, orientation = descriptors["shape"], descriptors["orientation"]
    margin = descriptors["margin"]
    echo = _ECHO.get(descriptors["echo"], descriptors["echo"])
    posterior = _POSTERIOR[descriptors["posterior"]]
    specks = _CALCIFICATIONS[descriptors["calcifications"]]
    wording = int(rng.integers(3))
    if wording == 0:
        short = (
            f"{shape.capitalize()} mass, {orientation} orientation, {margin} margin, {echo}, "
            f"{posterior}, {specks}."
        )
    elif wording == 1:
        short = (
            f"{shape.capitalize()} {echo} mass with {margin} margin and {orientation} "
            f"orientation; {posterior}; {specks}."
        )
    else:
        short = (
            f"{echo.capitalize()} {shape} mass, {margin} margin. {orientation.capitalize()} "
            f"orientation, {posterior}, {specks}."
        )
    extended = (
        f"{shape.capitalize()} mass, orientation {orientation} to the skin. "
        f"Its margin is {margin}, its echo pattern {echo}, with {posterior} and {specks}."
    )
    return short, extended
