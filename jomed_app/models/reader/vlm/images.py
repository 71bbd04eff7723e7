"""One image through a model's vision part, once; it is handed to the language part ever after."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import BaseImageProcessor, PreTrainedModel

from jomed_app.models.foreign.processors import resized_not_cropped
from jomed_app.models.reader.vlm.families import Family, Grid


@dataclass(frozen=True, slots=True, eq=False)
class SeenImage:
    """An image as the language part takes it.

    Attributes:
        features: (N, D), row by row of the grid.
        deep: the same for further layers of the language model (Qwen3-VL's deepstack).
        text: what stands for the image in a row.
        grid: (rows, columns) of the features; what follows the grid is no patch.
        size: (height, width) in px as the model saw it.
        shape: (rows, columns) of the image itself, px.
        patches: (1, 3) frames, rows and columns of patches before they are merged (Qwen).
    """

    features: Tensor
    deep: tuple[Tensor, ...]
    text: str
    grid: Grid
    size: tuple[int, int]
    shape: tuple[int, int]
    patches: Tensor | None

    @property
    def num_bytes(self) -> int:
        """Memory that the features take."""
        return sum(each.numel() * each.element_size() for each in (self.features, *self.deep))


class ImageEncoder:
    """Encodes images for one model.

    Args:
        model: image-text-to-text.
        processor: of the same folder; in place, a crop of the middle becomes a resize, since a
            finding may lie at the border.
        family: of the model.
        image_token: that stands for one feature.
        max_side: longer images are shrunk to so many px first; None leaves them.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        processor: BaseImageProcessor,
        family: Family,
        image_token: str,
        max_side: int | None = None,
    ) -> None:
        self.model = model
        self.processor: Any = resized_not_cropped(processor)
        self.family = family
        self.image_token = image_token
        self.max_side = max_side
        self._container: Any = None
        self._is_list = True

    def shrunk(self, picture: Image.Image) -> Image.Image:
        """A picture that is no longer than the model shall see; changed in place."""
        if self.max_side is not None and max(picture.size) > self.max_side:
            picture.thumbnail((self.max_side, self.max_side), Image.Resampling.BILINEAR)
        return picture

    def prepare(self, image: NDArray[np.uint8]) -> dict[str, Any]:
        """What the vision part takes of one (rows, columns, 3) uint8 image, on its device."""
        picture = self.shrunk(Image.fromarray(image))
        row = [picture] * (2 if self.family.twin else 1)
        data: dict[str, Any] = self.processor(
            images=[row] if self.family.nested else row,
            return_tensors="pt",
            **self.family.image_options,
        )
        if self.family.twin:
            data["pixel_values"], data["image_sizes"] = (
                data["pixel_values"][:1],
                data["image_sizes"][:1],
            )
        data["pixel_values"] = data["pixel_values"].to(self.model.dtype)
        return {name: value.to(self.model.device) for name, value in data.items()}

    def see(self, image: NDArray[np.uint8]) -> SeenImage:
        """Encode one image; the graph is kept where gradients are on."""
        data = self.prepare(image)
        encode: Any = self.model.get_image_features
        known = inspect.signature(encode).parameters
        output = encode(**{k: v for k, v in data.items() if k in known}, return_dict=True)
        # The containers that the model's forward wants back.
        self._container, self._is_list = type(output), not torch.is_tensor(output.pooler_output)
        features = _flat(output.pooler_output)
        grid, size = self._layout(data, len(features))
        return SeenImage(
            features,
            tuple(_flat(layer) for layer in getattr(output, "deepstack_features", None) or ()),
            self.family.wrap(self.image_token, len(features), grid),
            grid,
            size,
            (image.shape[0], image.shape[1]),
            data.get("image_grid_thw"),
        )

    def _layout(self, data: dict[str, Any], count: int) -> tuple[Grid, tuple[int, int]]:
        """(rows, columns) of `count` features, and the (height, width) that they cover, px."""
        if (patches := data.get("image_grid_thw")) is not None:
            _, rows, columns = patches[0].tolist()
            side, merged = self.processor.patch_size, self.processor.merge_size
            return (rows // merged, columns // merged), (rows * side, columns * side)
        vision = self.model.config.vision_config
        if vision.model_type == "pixtral":
            height, width = data["image_sizes"][0].tolist()
            return (height // vision.patch_size, width // vision.patch_size), (height, width)
        side = int(count**0.5)  # OneVision: a newline token follows the square
        height, width = data["pixel_values"].shape[-2:]
        return (side, side), (int(height), int(width))

    def handed_over(self, images: Sequence[SeenImage]) -> dict[str, Any]:
        """Arguments of the model's forward that stand for images seen before, in their order."""
        if not images:
            return {}
        features = [each.features for each in images]
        deep = [list(layer) for layer in zip(*(each.deep for each in images), strict=True)]
        output = self._container(
            pooler_output=features if self._is_list else torch.cat(features)[None],
            **({"deepstack_features": deep} if deep else {}),
        )
        return {"mm_encoder_outputs": {"image": output}}


def _flat(parts: Any) -> Tensor:
    return torch.cat([part.reshape(-1, part.shape[-1]) for part in parts])
