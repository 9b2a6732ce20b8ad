"""Which language somebody asks for (RFC 9110 12.5.4)."""

from __future__ import annotations

from hub.message import Language

#: Primary subtags that are Norwegian to us: all of them read bokmål.
_NORWEGIAN = frozenset({"nb", "no", "nn"})


def wanted(accept_language: str, otherwise: Language) -> Language:
    """The first of English and Norwegian that an Accept-Language asks for most; `otherwise` where it asks for neither."""
    weights: dict[Language, float] = {}
    for one in accept_language.split(",")[:20]:
        tag, _, parameter = one.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        spoken: Language | None = "nb" if primary in _NORWEGIAN else "en" if primary == "en" else None
        if spoken is not None:
            weights.setdefault(spoken, _weight(parameter))
    best = max(weights, key=lambda spoken: weights[spoken], default=otherwise)
    return best if weights.get(best, 0) > 0 else otherwise


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
