"""UMed-LVLM, arXiv:2501.01377: rewards and policy gradients."""
