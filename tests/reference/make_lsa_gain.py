"""Writes lsa_gain.json: the gain of Ephraim and Malah's equation 20, its integral computed as it stands in the paper.

    python tests/reference/make_lsa_gain.py

needs mpmath; its version is stored beside the values.
"""

import json
from importlib.metadata import version
from pathlib import Path

from mpmath import exp, inf, mp, mpf, quad

PRIOR_DB = list(range(-25, 21, 5))
POSTERIOR_DB = list(range(-20, 17, 4))

mp.dps = 30


def gain(prior_db: int, posterior_db: int) -> float:
    """ξ/(1+ξ) times exp of half the integral of exp(-t)/t from v on."""
    prior, posterior = (mpf(10) ** (mpf(value) / 10) for value in (prior_db, posterior_db))
    wiener = prior / (1 + prior)
    begin = wiener * posterior
    integral = quad(lambda t: exp(-t) / t, [begin, 2 * begin, 10 * begin, 10 * begin + 1, 10 * begin + 10, inf])
    return float(wiener * exp(integral / 2))


def main() -> None:
    stored = {
        "versions": {"mpmath": version("mpmath")},
        "prior_db": PRIOR_DB,
        "posterior_db": POSTERIOR_DB,
        "gain": [[gain(prior, posterior) for posterior in POSTERIOR_DB] for prior in PRIOR_DB],
    }
    (Path(__file__).parent / "lsa_gain.json").write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
