"""The documented endpoint `/diagnose`: a file in, the Result JSON out."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from jomed_app.errors import ImageError
from jomed_app.imaging.decoder import read_untrusted
from jomed_app.ui import text
from jomed_app.ui.gradio_memory import keep_paths
from jomed_app.ui.handlers import api
from jomed_app.ui.handlers.decoding import Decoding
from jomed_app.ui.handlers.screen import failure
from jomed_app.ui.handlers.upload import take_upload
from jomed_app.ui.layout.events import IN_LINE
from jomed_app.ui.line import Line
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.uploads import UploadStore


def add_api(engine: ReadingEngine, line: Line, uploads: UploadStore) -> None:
    """Add the endpoint to the page that is being built.

    Args:
        engine: reads.
        line: in which calls wait for it, among the page's own cases.
        uploads: where their files wait.
    """
    decoding = Decoding()

    async def diagnose(
        image: Any, invert: Any = False, anyway: Any = False, region: Any = None
    ) -> dict[str, Any]:
        """Return the Result (schema jomed.result/4) of one image file."""
        try:
            if not isinstance(image, dict):
                raise ImageError(text.UPLOAD_GONE)
            data, sender = take_upload(uploads, image.get("path"))
            part = api.region_asked(region)
            read = partial(read_untrusted, data, region=part, sender=sender)
            record = await decoding.run(sender, read)
            del read, data  # of up to 64 MiB; the case may wait for its turn
            wishes = (invert is True, anyway is True)
            with line.join(was_accepted=True) as turn:
                async for _ in turn.places():
                    pass
                return await turn.call(api.diagnose, engine, record, *wishes)
        except Exception as error:
            raise gr.Error(failure(error), print_exception=False) from None

    image_file = gr.File(label="image", visible=False)
    keep_paths(image_file)
    ways: list[Any] = [gr.Checkbox(label=each, visible=False) for each in ("invert", "anyway")]
    ways.append(gr.Textbox("found", label="region", visible=False))
    result = gr.JSON(label="result", visible=False)
    # preprocess=False: gradio's own step would leave one empty temporary file per call.
    gr.Button(visible=False).click(
        diagnose,
        [image_file, *ways],
        result,
        api_name="diagnose",
        api_visibility="public",
        preprocess=False,
        **IN_LINE,
    )
