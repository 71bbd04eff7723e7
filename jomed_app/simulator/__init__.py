"""Parametric B-mode breast ultrasound with exact labels, descriptors, passages and boxes."""

from jomed_app.simulator.case import SimulatedCase, simulate_case
from jomed_app.simulator.writer import case_seed, write_cases

__all__ = ["SimulatedCase", "case_seed", "simulate_case", "write_cases"]
