"""What a reader sees at one glance: words on the screen, the image, and where the answer stands."""

from __future__ import annotations

from dataclasses import dataclass

# Words and figures painted inside the window: not folded away, not for screen readers only.
WORDS_SEEN = """() => {
  const found = [], range = document.createRange();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const holder = node.parentElement;
    if (!holder || holder.closest('.vh, script, style, noscript')) continue;
    if (!holder.checkVisibility({visibilityProperty: true, contentVisibilityAuto: true})) continue;
    for (const match of node.data.matchAll(/[\\p{L}\\p{N}][^\\s]*/gu)) {
      range.setStart(node, match.index); range.setEnd(node, match.index + match[0].length);
      const box = range.getBoundingClientRect();
      const isSeen = box.width > 0 && box.bottom > 0 && box.right > 0
        && box.top < innerHeight && box.left < innerWidth;
      if (isSeen) found.push(match[0]);
    }
  }
  return found;
}"""
IN_WINDOW = """(selector) => {
  const box = document.querySelector(selector).getBoundingClientRect();
  const x = box.left + box.width / 2, y = box.top + box.height / 2;
  const top = document.elementFromPoint(x, y);
  const isOnTop = !!top && !!top.closest(selector);
  return isOnTop && box.top >= 0 && box.left >= 0
    && box.bottom <= innerHeight && box.right <= innerWidth;
}"""


@dataclass(frozen=True)
class Glance:
    """Of a page as it stands.

    Attributes:
        image_top: px.
        image_share: of the window that the patient's image covers, in [0, 1].
        words: in the window, repeated ones too; what has no letter in it is a figure.
    """

    image_top: float
    image_share: float
    words: list[str]

    @classmethod
    def at(cls, page) -> Glance:
        """Look at a page."""
        box = page.locator('[data-pane="query"] .stage img').bounding_box()
        size = page.viewport_size
        left, top = max(0, box["x"]), max(0, box["y"])
        right = min(size["width"], box["x"] + box["width"])
        bottom = min(size["height"], box["y"] + box["height"])
        share = (right - left) * (bottom - top) / (size["width"] * size["height"])
        seen = page.evaluate(WORDS_SEEN)
        return cls(box["y"], share, [each for each in seen if any(map(str.isalpha, each))])


def is_seen(page, selector: str) -> bool:
    """Whether an element lies whole in the window, and nothing else on it."""
    return page.evaluate(IN_WINDOW, selector)
