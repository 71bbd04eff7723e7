"""What keeps visitors apart and off the disk: open routes, sessions with a secret, uploads."""
