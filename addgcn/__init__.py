"""ADD-GCN (Ye et al., ECCV 2020) for multi-label image recognition: the library that the book explains."""

from .baselines import GAP, GMP
from .errors import InputError
from .model import ADDGCN, Explanation
from .peers import MLGCN, SSGRL
from .pretrained import load_model

__version__ = "0.1.0"
__all__ = ["ADDGCN", "GAP", "GMP", "MLGCN", "SSGRL", "Explanation", "InputError", "load_model"]
