"""
The store: one HTTP request for each operation, made of scripts.

The HTTP library brings an allocator, which looks once at how it is to behave, when it is loaded: nothing here must
import it before this.
"""

from shared.process.allocator import take_no_more_than_used

take_no_more_than_used()
