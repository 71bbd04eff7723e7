"""Parametric B-mode breast ultrasound with exact labels, descriptors, passages and boxes."""

from jomed_app.data.simulated_ultrasound.case import SimulatedCase, simulate_case
from jomed_app.data.simulated_ultrasound.writer import case_seed, write_cases

__all__ = ["SimulatedCase", "case_seed", "simulate_case", "write_cases"]
