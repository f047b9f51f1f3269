"""ADD-GCN (Ye et al., ECCV 2020) for multi-label image recognition: the library that the book explains."""

__version__ = "0.1.0"
