"""
A prelude of instances (`Deployment.prelude`): their wall clock is 5 minutes behind the store's. Ages are not off.
"""

from scripts.proving.chaos.clock import shift

shift(-300)
