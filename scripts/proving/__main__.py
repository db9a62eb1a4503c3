"""
Experiments that prove a promise of the service, or refute it: a subcommand each, which exits with 1 when one is broken.
"""

import sys

from scripts.measuring.subcommands import run
from scripts.proving import rate
from scripts.proving.borders import command as borders
from scripts.proving.budgets import command as budgets
from scripts.proving.chaos import command as chaos
from scripts.proving.coherence import command as coherence
from scripts.proving.contexts import command as contexts
from scripts.proving.cost import command as cost
from scripts.proving.documents import command as documents
from scripts.proving.load import command as load
from scripts.proving.memory import command as memory
from scripts.proving.metrics import command as metrics
from scripts.proving.soak import command as soak

SUBCOMMANDS = {
    "coherence": coherence,
    "documents": documents,
    "budgets": budgets,
    "rate": rate,
    "memory": memory,
    "contexts": contexts,
    "borders": borders,
    "metrics": metrics,
    "load": load,
    "cost": cost,
    "soak": soak,
    "chaos": chaos,
}

if __name__ == "__main__":
    sys.exit(run("scripts/prove", __doc__, SUBCOMMANDS))
