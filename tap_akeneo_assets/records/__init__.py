"""Bytes of the PIM made into records. Pure: nothing here does I/O."""
