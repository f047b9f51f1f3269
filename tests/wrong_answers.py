"""For each assignment: typical wrong solutions, as what replaces a part of the model solution, and what they lose."""

from __future__ import annotations

WRONG: dict[int, dict[str, tuple[str, str, list[str]]]] = {  # name: (old, new, a word of each criterion that is lost)
    1: {
        "ties by the order of the list": (
            "read = [t for s, t in asked if s >= score]  # everything down to here, the tied group included",
            "ranked = sorted(asked, key=lambda pair: -pair[0])\n"
            "            read = [t for _, t in ranked[: ranked.index((score, target)) + 1]]",
            ["tied group"],
        ),
        "CF1 as the mean of the F1": (
            "return CP, CR, 2 * CP * CR / (CP + CR)",
            "F1 = [2 * p * r / max(p + r, 1e-9) for p, r in zip(precisions, recalls)]\n"
            "    return CP, CR, sum(F1) / len(F1)",
            ["harmonic"],
        ),
        "the transpose is missing": (
            "return maps.flatten(1) @ features.flatten(1).T  # (C, HW) @ (HW, D') -> (C, D')",
            "return maps.flatten(1) @ features.flatten(1)",
            ["equation 1"],
        ),
    },
    2: {
        "every message runs backwards": (
            "return F.leaky_relu(A @ V @ W, 0.2)",
            "return F.leaky_relu(A.T @ V @ W, 0.2)",
            ["equation 2"],
        ),
        "the receiver is read": (
            "return torch.sigmoid(W_A @ H_.mT) * heard",
            "return torch.sigmoid(W_A @ H_.mT).mT * heard",
            ["equations 3 and 4", "not in h_g"],
        ),
        "silent nodes are in the mean": (
            "h_g = H[:, heard].mean(1, keepdim=True)",
            "h_g = H.mean(1, keepdim=True)",
            ["not in h_g"],
        ),
    },
    3: {
        "an unpaired interval": (
            "variance = sum((x - mean) ** 2 for x in d) / (len(d) - 1)",
            "variance = sum((x - sum(a) / len(a)) ** 2 for x in a) / (len(a) - 1) * 2",
            ["five seeds", "three seeds"],
        ),
        "the verdict looks at the mean alone": ("if mean - half > 0", "if mean > 0", ["verdict"]),
        "a claim that the interval does not bear": ('"claim": "lower"', '"claim": "open"', ["claim follows"]),
    },
}
