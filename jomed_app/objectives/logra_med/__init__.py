"""LoGra-Med, arXiv:2410.02615: graphs, matching, gradients through a solver."""
