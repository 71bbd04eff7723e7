"""The value network of PPO: what an answer will earn, told before each of its tokens."""

from __future__ import annotations

from torch import Tensor, nn

CRITIC_WIDTH = 64


class Critic(nn.Module):
    """Predicts the return of an answer from the hidden state before each token; 0 untrained.

    Args:
        width: of a hidden state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        last = nn.Linear(CRITIC_WIDTH, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, CRITIC_WIDTH), nn.GELU(), last
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """(G, R) values of (G, R, D) hidden states."""
        value: Tensor = self.layers(hidden)[..., 0]
        return value
