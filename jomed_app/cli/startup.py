"""What an entry point does before it imports anything heavy: stay offline, keep libraries quiet."""

from __future__ import annotations

import logging
import os
import sys
import warnings

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
}
QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
CHATTY_LOGGERS = ("accelerate", "bitsandbytes", "httpx", "peft", "pydicom", "torch", "transformers")


HUB = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_set_here: set[str] = set()


def prepare_process() -> None:
    """Set the environment and log levels of a process that a person started.

    Variables already set win. Python warnings are hidden unless `-W` or `PYTHONWARNINGS` asks for
    them. Call before importing torch, transformers or gradio.
    """
    for name, value in (OFFLINE | QUIET).items():
        if name not in os.environ:
            os.environ[name] = value
            _set_here.add(name)
    for name in CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def may_ask_the_hub() -> None:
    """Take back that this process stays offline, unless whoever started it said so.

    For the commands that are asked to go to the Hub. Call before importing huggingface_hub.
    """
    for name in HUB:
        if name in _set_here:
            os.environ.pop(name, None)
            _set_here.discard(name)
