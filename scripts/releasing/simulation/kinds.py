"""
What is released, of which a judge is to say whether it is good: in what a canary differs from the stable.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A canary that *is_good* or not. *is_aimed_at*: the judge has to find it, or leave it alone; of the others it is only
    told how often.

    slowdown              all take so many times as long, *tail_share* of requests *tail_slowdown* times
    error_share           of requests fail besides, of `error_route` only where it is 0 or more
    begins_at_stage       from which on it is so
    cold_slowdown, life   of cold starts, and of how long instances live
    hit_ratio, leak_bytes of the stable's hit rate; by what memory grows a request
    refusal_share         are refused with 4xx besides
    spread                each of slowdown, errors and hits is drawn so much, at most, to either side
    drift, ramp           both sides become so many times as slow, and the traffic as much, in four hours
    burst                 how many requests a client sends at once, on average
    tells_age             instances count by age
    """

    text: str
    is_good: bool
    is_aimed_at: bool = False
    slowdown: float = 1.0
    tail_share: float = 0.0
    tail_slowdown: float = 1.0
    error_share: float = 0.0
    error_route: int = -1
    begins_at_stage: int = 0
    cold_slowdown: float = 1.0
    life: float = 1.0
    hit_ratio: float = 1.0
    leak_bytes: int = 0
    refusal_share: float = 0.0
    spread: float = 0.0
    drift: float = 1.0
    ramp: float = 1.0
    burst: float = 3.0
    tells_age: bool = True


KINDS = {
    "good": Kind("the same", True, is_aimed_at=True),
    "good-noisy": Kind("up to 3 % faster or slower, errors and hits as well", True, is_aimed_at=True, spread=0.03),
    "slow": Kind("all take 1.3 times as long", False, is_aimed_at=True, slowdown=1.3),
    "tail-slow": Kind("3 % take six times as long", False, is_aimed_at=True, tail_share=0.03, tail_slowdown=6),
    "erring": Kind("2 % fail", False, is_aimed_at=True, error_share=0.02),
    "leaking": Kind("keeps 100 kB a request", False, is_aimed_at=True, leak_bytes=100_000),
    "cold-cache": Kind("L1 off", False, is_aimed_at=True, hit_ratio=0.0),
    "half-life": Kind("good; its instances live half as long", True, life=0.5),
    "double-life": Kind("good; its instances live twice as long", True, life=2.0),
    "drift": Kind("good; both become twice as slow in four hours", True, drift=2.0),
    "ramp": Kind("good; four times the traffic within four hours", True, ramp=4.0),
    "clumped": Kind("good; clients send 20 requests at once", True, burst=20.0),
    "unaged": Kind("good; instances do not count by age", True, tells_age=False),
    "erring-1": Kind("1 % fail", False, error_share=0.01),
    "erring-route": Kind("a tenth fails on a route with a tenth of the traffic", False, error_share=0.1, error_route=2),
    "erring-late": Kind("2 % fail, from 25 % of traffic on", False, error_share=0.02, begins_at_stage=1),
    "slower": Kind("all take 1.15 times as long", False, slowdown=1.15),
    "slow-starts": Kind("cold starts take twice as long", False, cold_slowdown=2.0),
    "refusing": Kind("a tenth is refused with 4xx", False, refusal_share=0.1),
    "half-cache": Kind("half the hit rate", False, hit_ratio=0.5),
    "unaged-leaking": Kind("leaking; instances do not count by age", False, leak_bytes=100_000, tells_age=False),
}
