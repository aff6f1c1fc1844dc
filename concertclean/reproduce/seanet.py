"""The listening test of STFT-SEANet: with and without discriminators.

References:
    Li, Gfeller, Tagliasacchi, Roblek, Learning to denoise historical music, ISMIR 2020, section 4: MUSHRA scores of
    real recordings as differences from the noisy one; lambda 0 is rated significantly better than lambda 0.01.
"""

from typing import Final

from concertclean.reproduce.listening import listening_page
from concertclean.reproduce.mixtures import load_systems
from concertclean.reproduce.table import Outcome, PaperTable, Request, System, find_weights

_SYSTEMS = (System("lambda 0", "seanet"), System("lambda 0.01", "seanet-adversarial"))
_N_RECORDINGS = 10


def mushra(request: Request) -> Outcome:
    """The page of the listening test."""
    weights, remarks = find_weights(request, _SYSTEMS)
    made = listening_page(request, "Historical music", load_systems(weights), n_items=_N_RECORDINGS, remarks=remarks)
    note = "scores are published as differences from the noisy recording: score the results relative to it"
    return Outcome(made.columns, made.rows, (*made.remarks, note), made.decimals)


TABLES: Final = {
    "mushra": PaperTable("lambda 0.01 against 0, as a page", "recordings/ (real historical recordings)", mushra),
}
