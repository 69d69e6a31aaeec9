"""The only wiring room: decide, commit, speak."""
