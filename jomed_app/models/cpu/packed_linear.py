"""Linear layers whose weights lie as oneDNN wants them, so that no call lays them out anew.

Ours: on a CPU, PyTorch reorders a plain bf16 weight inside every matrix product; for the few dozen
tokens of an answer that costs as much as the product. Inductor packs weights when it compiles; this
does the same without a compiler, by the same operator. Where the operator is missing (another
processor or build), layers stay as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PackedLinear(nn.Module):
    """A linear layer for inference on bf16 inputs; equal to the one it replaces.

    Args:
        linear: bf16, on the CPU.
    """

    packed: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)
        self.register_buffer("packed", packed, persistent=False)
        self.register_buffer("bias", linear.bias, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., in_features) bf16 -> (..., out_features) bf16."""
        outputs: Tensor = torch.ops.mkldnn._linear_pointwise(
            inputs, self.packed, self.bias, "none", [], ""
        )
        return outputs


def can_pack() -> bool:
    """Whether this build and processor pack bf16 weights."""
    return hasattr(torch.ops.mkldnn, "_linear_pointwise") and bool(
        torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


@torch.no_grad()
def pack_linears(model: nn.Module) -> int:
    """Replace a model's bf16 linear layers on the CPU, in place; return how many were replaced.

    A layer whose weight is shared with another module (a tied output layer) stays as it is. The
    model can then neither be trained nor saved.
    """
    if not can_pack():
        return 0
    count = 0
    users: dict[int, int] = {}
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor):
            users[id(weight)] = users.get(id(weight), 0) + 1
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is not nn.Linear or users[id(child.weight)] > 1:
                continue
            if child.weight.dtype is torch.bfloat16 and child.weight.device.type == "cpu":
                setattr(parent, name, PackedLinear(child))
                count += 1
    return count
