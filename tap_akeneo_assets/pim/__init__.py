"""Asking the PIM: connections, tokens, limits, retries, and what answers mean."""
