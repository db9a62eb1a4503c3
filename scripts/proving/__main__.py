"""
Experiments that prove a promise of the service, or refute it: a subcommand each, which exits with 1 when one is broken.
"""

import sys

from scripts.measuring.subcommands import run

SUBCOMMANDS = {
    "coherence": "scripts.proving.coherence.command",
    "documents": "scripts.proving.documents.command",
    "budgets": "scripts.proving.budgets.command",
    "rate": "scripts.proving.rate",
    "memory": "scripts.proving.memory.command",
    "contexts": "scripts.proving.contexts.command",
    "borders": "scripts.proving.borders.command",
    "export": "scripts.proving.exports.command",
    "erasure": "scripts.proving.erasure.command",
    "metrics": "scripts.proving.metrics.command",
    "load": "scripts.proving.load.command",
    "cost": "scripts.proving.cost.command",
    "chaos": "scripts.proving.chaos.command",
    "soak": "scripts.proving.soak.command",
    "releases": "scripts.proving.releases.command",
    "rolling": "scripts.proving.rolling.command",
    "canary": "scripts.releasing.proof.command",
}

if __name__ == "__main__":
    sys.exit(run("scripts/prove", __doc__, SUBCOMMANDS))
