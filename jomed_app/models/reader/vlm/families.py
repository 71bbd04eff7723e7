"""What each family of models does in its own way; a family that is not named does as LLaVA does.

Ours: transformers' processor classes are not used, since most of them require torchvision. An image
stands for as many image tokens as it has features, and a family says what is written around them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from transformers import PreTrainedConfig

from jomed_app.models.reader.vlm.boxes import BoxKind

Grid = tuple[int, int]


def plain(token: str, count: int, grid: Grid) -> str:
    """Image tokens and nothing else."""
    return token * count


def _rows_with_breaks(token: str, count: int, grid: Grid) -> str:
    """Pixtral: rows of the grid, a break between them, an end behind them."""
    return "[IMG_BREAK]".join([token * grid[1]] * grid[0]) + "[IMG_END]"


def _global_tile(token: str, count: int, grid: Grid) -> str:
    """Idefics 3 and SmolVLM: one tile, the whole image."""
    fence = "<fake_token_around_image>"
    return f"{fence}<global-img>{token * count}{fence}"


def _between_turns(token: str, count: int, grid: Grid) -> str:
    """Gemma 3."""
    return f"\n\n<start_of_image>{token * count}<end_of_image>\n\n"


def _between_tags(token: str, count: int, grid: Grid) -> str:
    """InternVL."""
    return f"<img>{token * count}</img>"


@dataclass(frozen=True, slots=True)
class Family:
    """One family's ways.

    Attributes:
        wrap: (image token, number of features, grid) -> the text that an image stands for.
        slot: where the chat template puts an image, if not by the image token.
        inline: images are put into the text by their slot, since the template would print all of
            them before it. Ours: a row must keep the order of images and words.
        nested: the image processor takes a list of images for each row.
        twin: an image is encoded beside a copy of itself, as in a row of several images; alone it
            would be cut into tiles, which is another encoding.
        tiling: option of the image processor that cuts images into tiles; it is turned off.
        type_ids: name of the argument that tells image tokens, or the answer, apart.
        first_position: of a row.
        has_template: rows are written in a chat template; PaliGemma alone has none.
        reads_both_ways: a prompt is read in both directions, so that rows share no beginning.
        boxes: how boxes are written; None where the family writes none.
        box_question: asks for them; `{finding}` stands for what is sought.
    """

    wrap: Callable[[str, int, Grid], str] = plain
    slot: str | None = None
    inline: bool = False
    nested: bool = False
    twin: bool = False
    tiling: str | None = None
    type_ids: str | None = None
    first_position: int = 0
    has_template: bool = True
    reads_both_ways: bool = False
    boxes: BoxKind | None = None
    box_question: str = ""

    @property
    def image_options(self) -> dict[str, bool]:
        """For the image processor: one tile an image."""
        return {} if self.tiling is None else {self.tiling: False}


_AS_JSON = "Outline the {finding} and output its coordinates in JSON format; [] if there is none."
_QWEN2 = Family(type_ids="mm_token_type_ids", boxes="qwen2", box_question="Detect the {finding}.")
_QWEN2_5 = Family(type_ids="mm_token_type_ids", boxes="pixels", box_question=_AS_JSON)
_QWEN3 = Family(type_ids="mm_token_type_ids", boxes="thousand", box_question=_AS_JSON)
_IDEFICS = Family(
    wrap=_global_tile,
    nested=True,
    tiling="do_image_splitting",
)

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "qwen2_vl": _QWEN2,
        "qwen2_5_vl": _QWEN2_5,
        "qwen3_vl": _QWEN3,
        "qwen3_vl_moe": _QWEN3,
        "qwen3_5": _QWEN3,
        "qwen3_5_moe": _QWEN3,
        "pixtral": Family(wrap=_rows_with_breaks),
        "smolvlm": _IDEFICS,
        "idefics3": _IDEFICS,
        "llava": Family(inline=True),
        "llava_onevision": Family(inline=True, nested=True, twin=True),
        "gemma3": Family(
            wrap=_between_turns,
            slot="<start_of_image>",
            type_ids="token_type_ids",
            boxes="gemini",
            box_question="Return the bounding box of the {finding} as JSON with the key box_2d, "
            "[y0, x0, y1, x1] in thousandths; [] if there is none.",
        ),
        "paligemma": Family(
            type_ids="token_type_ids",
            first_position=1,
            has_template=False,
            reads_both_ways=True,
            boxes="loc",
            box_question="detect {finding}",
        ),
        "internvl": Family(
            wrap=_between_tags,
            tiling="crop_to_patches",
            boxes="thousand",
            box_question="Provide the bounding box of the {finding} as [[x1, y1, x2, y2]]; "
            "[] if there is none.",
        ),
    }
)


def family_of(config: PreTrainedConfig) -> Family:
    """The family of a model's configuration; Pixtral is LLaVA with a tower of its own."""
    vision = config.vision_config.model_type
    kind = "pixtral" if vision == "pixtral" else config.model_type
    return FAMILIES.get(kind, Family())
