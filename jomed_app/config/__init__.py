"""Configuration: frozen values read from TOML, and the TOML files that ship."""
