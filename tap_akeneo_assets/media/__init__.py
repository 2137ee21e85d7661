"""Media files: which assets have them, whether an answer is one, where and how it is stored."""
