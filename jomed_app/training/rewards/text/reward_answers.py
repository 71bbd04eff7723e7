"""What the answers to one query earn: relevance of what they name, their boxes, where they looked.

Source: UMed-LVLM, arXiv:2501.01377. Ours: see `objectives.umed.rewards`; the attention is that of
the words which name the abnormality, by a forward of its own over the answer up to there, so that
answers which begin alike are looked at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from jomed_app.boxes import Box
from jomed_app.models.reader.protocol import FloatArray
from jomed_app.objectives.umed.reward_mix import combine_rewards
from jomed_app.objectives.umed.rewards import (
    Judge,
    box_coverage,
    localization_reward,
    relevance_reward,
    vision_relevance_reward,
)
from jomed_app.training.rewards.text.case import Truth
from jomed_app.training.rewards.text.policy import Prompt, TextPolicy
from jomed_app.training.rewards.text.statements import Said


@dataclass(frozen=True, slots=True)
class AnswerRewards:
    """Rewards of G answers to one query.

    Attributes:
        earned: (1, G) by name, before normalization; `localization` is left out where the reader
            writes no boxes, `vision` where it shows no attention, both where the truth has none to
            compare with.
        total: (G,) their weighted sum.
        unreadable: (G,) 1 where neither a box nor that there is none could be read; empty where
            `localization` is left out.
    """

    earned: Mapping[str, Tensor]
    total: Tensor
    unreadable: Tensor


@dataclass(slots=True)
class AnswerJudge:
    """Rewards the answers of one policy.

    Attributes:
        policy: that wrote them; it is looked at as it is now.
        weights: of every reward, by name; one of weight 0 is not computed.
        floor: as in `reward_mix.normalize_rewards`.
        judge: compares words; None takes equality.
    """

    policy: TextPolicy
    weights: Mapping[str, float]
    floor: float
    judge: Judge | None = field(default=None)

    @torch.no_grad()
    def rewards(
        self, prompt: Prompt, answers: Sequence[Sequence[int]], truth: Truth
    ) -> AnswerRewards:
        """Reward G answers to the prompt of one image."""
        said = [self.policy.read(prompt, ids) for ids in answers]
        earned = {
            "relevance": relevance_reward(
                [each.statement for each in said], [truth.statement] * len(said), self.judge
            )
        }
        unreadable = torch.zeros(0)
        if self.policy.writes_boxes and truth.boxes is not None:
            unreadable = torch.tensor([float(each.boxes is None) for each in said])
            earned["localization"] = self._placed(said, truth.boxes, unreadable)
        if truth.boxes and self.weights["vision"] and self.policy.shows_attention:
            earned["vision"] = self._looked(prompt, answers, said, truth.boxes)
        whole = {name: each[None] for name, each in earned.items()}
        total = combine_rewards(whole, self.weights, floor=self.floor)
        return AnswerRewards(whole, total[0], unreadable)

    @staticmethod
    def _placed(said: Sequence[Said], boxes: Sequence[Box], unreadable: Tensor) -> Tensor:
        """(G,) mean IoU of the boxes that were written; 0 where none can be read."""
        most = max(1, *(len(each.boxes or ()) for each in said))
        told = torch.full((len(said), most, 4), torch.nan)
        for place, each in enumerate(said):
            for number, box in enumerate(each.boxes or ()):
                told[place, number] = torch.tensor(box.as_tuple())
        true = torch.full((1, max(1, len(boxes)), 4), torch.nan)
        for number, box in enumerate(boxes):
            true[0, number] = torch.tensor(box.as_tuple())
        return localization_reward(told, true.expand(len(said), -1, -1), unreadable == 0)

    def _looked(
        self,
        prompt: Prompt,
        answers: Sequence[Sequence[int]],
        said: Sequence[Said],
        boxes: Sequence[Box],
    ) -> Tensor:
        """(G,) attention of what is named to the true boxes, less chance; 0 where nothing is."""
        known: dict[tuple[int, ...], Tensor] = {}
        found = torch.zeros(len(answers))
        for place, (ids, each) in enumerate(zip(answers, said, strict=True)):
            if each.named is None:
                continue
            key = (each.named.start, *ids[: each.named.stop])
            if key not in known:
                known[key] = _toward(self.policy.look(prompt, ids, each.named), boxes)
            found[place] = known[key]
        return found


def _toward(heat: FloatArray, boxes: Sequence[Box]) -> Tensor:
    """Share of a (rows, columns) map inside any of the boxes, less the share of their area."""
    edges = torch.tensor([box.as_tuple() for box in boxes])
    region = box_coverage(edges, *heat.shape).amax(0, keepdim=True)
    share = torch.from_numpy(heat).float().reshape(1, 1, -1)
    return vision_relevance_reward(share, region)[0]
