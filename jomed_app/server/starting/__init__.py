"""The page while the models are being loaded: a small app that then leaves its place."""
