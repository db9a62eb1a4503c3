"""
The version of this code, by semantic versioning; docs/releasing.md says what a number promises.

`scripts/release` writes it, here and in the packages of clients/, and nothing else does. Code between two releases
has the number of the one before: what exactly runs, the name of the deployment says.
"""

VERSION = "0.1.0"
