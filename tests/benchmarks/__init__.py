"""Figures of this machine: what `make bench` measures. Never run as tests."""
